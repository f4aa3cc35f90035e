"""Slurm on this machine: its controller and munge here, and nodes that are hosts of their own, each with its slurmd."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tests.cluster import hosts
from tests.cluster.host import Host, path_here, wait_for
from tests.cluster.hosts import Hosts
from tests.orchestration.support import ROOT

PROGRAMS = ("slurmctld", "slurmd", "srun", "sbatch", "salloc", "munged")
PLUGINS = Path("/usr/lib/x86_64-linux-gnu/slurm-wlm")
CPUS = 2
MEMORY_MIB = 4000
# shares with the other nodes the folders $3 and $4 alone: what else they write to is its own
SCRIPT = """
set -e
hostname "$2"
mount --make-rprivate /
mount --bind "$1" /mnt
mount --bind /mnt/boot_id /proc/sys/kernel/random/boot_id
mount --bind /mnt/etc_hosts /etc/hosts
mount -t tmpfs -o size=512m tmpfs /dev/shm
if [ "$5" ]; then
  mount -t tmpfs tmpfs /sys/fs/cgroup
  for c in $5; do mkdir "/sys/fs/cgroup/$c"; mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c"; done
fi
mount -t tmpfs tmpfs /run
mkdir /run/checkout /run/shared
mount --rbind "$3" /run/checkout
mount --rbind "$4" /run/shared
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p "$3" "$4"
mount --rbind /run/checkout "$3"
mount --rbind /run/shared "$4"
exec slurmd -D -N "$2"
"""
SETTINGS = """
ClusterName={cluster}
SlurmctldHost={host}({subnet}.254)
SlurmctldPort={port}
SlurmUser=root
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir=/run/slurmd
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType={tracking}
TaskPlugin={tasks}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
SlurmdTimeout=10
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=node[1-{count}] NodeAddr={subnet}.[1-{count}] CPUs={cpus} CoresPerSocket={cpus} RealMemory={memory}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=node[1-{count}] Default=YES MaxTime=60 DefMemPerCPU=1000
PartitionName=urgent Nodes=node[1-{count}] PriorityTier=10 PreemptMode=OFF MaxTime=60 DefMemPerCPU=1000
"""


# by control groups v1 alone: with v2, slurmd 22.05 asks systemd for a scope
CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "cpuset", "freezer", "devices", "cpu", "cpuacct")
CGROUP_SETTINGS = """
CgroupPlugin=cgroup/v1
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
ConstrainCores=yes
"""


def limits_memory() -> bool:
    """Whether Slurm can hold jobs to their memory here."""
    return all((CGROUPS / name / "cgroup.procs").exists() for name in CONTROLLERS)


def reason_against() -> str:
    """Why Slurm cannot be started here; empty where it can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=path_here()) is None]
    if missing:
        return f"Slurm's tests need {', '.join(missing)}: Debian's slurm-wlm and munge"
    if not Path("/usr/lib/x86_64-linux-gnu/libpmix.so.2").exists():
        return "Slurm's tests need Debian's libpmix2"
    return hosts.reason_against()


@dataclass
class SlurmNode(Host):
    """A host whose one service is slurmd. To Slurm and to us it is a machine of its own, with a boot id of its own."""

    shared: Path = Path()
    settings: Path = Path()

    def boot(self) -> None:
        spaces = ["--uts", "--mount", "--pid", "--ipc", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
        controllers = CONTROLLERS if limits_memory() else ()
        arguments = ["sh", "-c", SCRIPT, "sh", str(self.folder), self.name, str(ROOT), str(self.shared)]
        arguments.append(" ".join(controllers))
        joined = " && ".join(["true", *(f"echo $$ >{self._group(name)}/cgroup.procs" for name in controllers)])
        for name in controllers:
            self._group(name).mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems") if controllers else ():
            (self._group("cpuset") / name).write_text((CGROUPS / "cpuset" / name).read_text())
        inside = ["nsenter", f"--net=/run/netns/{self.space}", "unshare"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", f'{joined} && exec "$@"', "sh", *inside, *spaces, *arguments],
                env=os.environ | {"SLURM_CONF": str(self.settings), "PATH": path_here()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _group(self, controller: str) -> Path:
        """Its own control group, which it takes for the root."""
        return CGROUPS / controller / self.space

    def leftovers(self) -> list[str]:
        """Those of its own; in the folder that it shares with this machine other tests work as well."""
        return [word for word in super().leftovers() if not word.startswith(f"{self.shared}/")]

    def revive(self) -> None:
        """Powers it on again."""
        self.boot()
        self.join()

    def close(self) -> None:
        super().close()
        for controller in CONTROLLERS if limits_memory() else ():
            for folder in sorted(self._group(controller).glob("**/"), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()


@dataclass
class Slurm(Hosts):
    """A cluster of Slurm's. `shared` is the folder that this machine and all nodes share, beside the checkout."""

    shared: Path = Path()
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def without_mpi(self) -> Path:
        """Settings with which srun finds none of its ways to start the ranks of an MPI."""
        return self.folder / "without-mpi" / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """For a person's commands."""
        return os.environ | {"SLURM_CONF": str(self.settings), "PATH": path_here()}

    def run(self, *argv: str) -> str:
        """What a command prints here, as on a login node."""
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self) -> None:
        self._plug_in()
        (self.folder / "state").mkdir()
        self._begin_munge()
        number = int(self.subnet.rpartition(".")[2])
        self.settings.write_text(
            SETTINGS.format(
                cluster=self.prefix, host=socket.gethostname(), subnet=self.subnet, port=16000 + number,
                folder=self.folder, count=self.count, cpus=CPUS, memory=MEMORY_MIB,
                tasks="task/affinity,task/cgroup" if limits_memory() else "task/affinity",
                tracking="proctrack/cgroup" if limits_memory() else "proctrack/linuxproc",
            )
        )  # fmt: skip
        (self.folder / "cgroup.conf").write_text(CGROUP_SETTINGS)
        self._write_without_mpi()
        self._begin("slurmctld", "-D")
        for n in range(1, self.count + 1):
            folder = self.folder / f"node{n}"
            node = SlurmNode(n, self.prefix, self.subnet, folder, shared=self.shared, settings=self.settings)
            self.hosts.append(node)
            folder.mkdir()
            (folder / "boot_id").write_text(f"{uuid4()}\n")
            names = "".join(f"{self.subnet}.{k} node{k}\n" for k in range(1, self.count + 1))
            (folder / "etc_hosts").write_text(Path("/etc/hosts").read_text() + names)
            node.start(self.bridge_space)
        self.wait_for_idle()

    def _write_without_mpi(self) -> None:
        plugins = self.without_mpi.parent / "plugins"
        plugins.mkdir(parents=True)
        for path in PLUGINS.iterdir():
            if not path.name.startswith(("mpi_pmix", "mpi_pmi2")):
                (plugins / path.name).symlink_to(path)
        self.without_mpi.write_text(f"{self.settings.read_text()}PluginDir={plugins}\n")
        (self.without_mpi.parent / "cgroup.conf").write_text(CGROUP_SETTINGS)

    def _begin_munge(self) -> None:
        folder = self.folder / "munge"
        folder.mkdir()
        (folder / "key").write_bytes(os.urandom(1024))
        (folder / "key").chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in files.items()]
        # tests' folders may be open to more accounts than munge likes
        self._begin("munged", "--foreground", "--force", *options)
        wait_for((folder / "socket").exists)

    def _begin(self, *argv: str) -> None:
        with (self.folder / f"{argv[0]}.out").open("ab") as log:
            self.daemons.append(
                subprocess.Popen(argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    def states(self) -> dict[str, str]:
        """The state of each node, as sinfo has it."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return dict(line.split() for line in lines)

    def wait_for_idle(self) -> None:
        """Until every node waits for a job."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with contextlib.suppress(AssertionError):
                if self.states() == {host.name: "idle" for host in self.hosts}:
                    return
            time.sleep(0.2)
        raise AssertionError((self.folder / "slurmctld.log").read_text()[-2000:])

    def cancel_all(self) -> None:
        """No job is left."""
        self.run("scancel", "--full", "--user=root")
        wait_for(lambda: not self.run("squeue", "--noheader").strip())

    def close(self) -> None:
        super().close()
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
