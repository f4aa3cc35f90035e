"""One host without a container: its own network, name, processes, /tmp, /dev/shm and sshd.

It shares this machine's programs (the venv), cores and kernel, and can be killed, paused and cut off.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.orchestration.support import ROOT

HOME = "/mnt"  # every host sees its own folder there
WORKDIR = "/mnt/convscale"
SCRIPT = """
set -e
hostname "$2"
mount --make-rprivate /
mount --bind "$1" /mnt
mount --bind /mnt/passwd /etc/passwd
mount -t tmpfs -o size=512m tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /mnt/checkout
mount --rbind "$3" /mnt/checkout
mount -t tmpfs tmpfs /tmp
case "$3" in /tmp/*) mkdir -p "$3"; mount --rbind /mnt/checkout "$3";; esac
exec /usr/sbin/sshd -D -e -f /mnt/sshd_config
"""
SSHD = """
HostKey /mnt/host_key
AuthorizedKeysFile /mnt/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
UseDNS no
MaxStartups 64:30:128
PidFile none
Subsystem sftp internal-sftp
"""
GROUPS = Path("/sys/fs/cgroup/memory")  # version 1: what limits a host is made there
MPIRUN = str(Path(sys.executable).parent / "mpirun")
STRANGER = "time.sleep(600)"
TOKEN = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


def path_here() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def quiet(argv: Sequence[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def run_here(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@dataclass
class Host:
    """One of them; `number` counts from 1, its address from as much as `shift` later."""

    number: int
    prefix: str
    subnet: str
    folder: Path
    shift: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def address(self) -> str:
        return f"{self.subnet}.{self.number + self.shift}"

    @property
    def space(self) -> str:
        return f"{self.prefix}n{self.number}"

    def start(self, bridge_space: str) -> None:
        """Plugs it in and starts its sshd."""
        inner, outer = "eth0", f"p{self.number}"
        run_here("ip", "netns", "add", self.space)
        run_here(
            "ip",
            "link",
            "add",
            outer,
            "netns",
            bridge_space,
            "type",
            "veth",
            "peer",
            "name",
            inner,
            "netns",
            self.space,
        )
        run_here("ip", "-n", bridge_space, "link", "set", outer, "master", "br0", "up")
        run_here("ip", "-n", self.space, "link", "set", "lo", "up")
        run_here("ip", "-n", self.space, "addr", "add", f"{self.address}/24", "dev", inner)
        run_here("ip", "-n", self.space, "link", "set", inner, "up")
        self.boot()

    def boot(self) -> None:
        """Starts its first process, sshd."""
        spaces = ["--uts", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        arguments = ["sh", "-c", SCRIPT, "sh", str(self.folder), self.name, str(ROOT)]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.space, "unshare", *spaces, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def members(self) -> list[psutil.Process]:
        """Its processes, by their namespace: down the tree, those whose parent ends meanwhile would be missed."""
        assert self.process is not None
        found = []
        with contextlib.suppress(OSError):
            space = Path(f"/proc/{self.process.pid}/ns/pid_for_children").readlink()
            if space == Path("/proc/self/ns/pid").readlink():
                return []  # it has not come to its own yet
            for process in psutil.process_iter():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{process.pid}/ns/pid").readlink() == space:
                        found.append(process)
        return found

    def ranks(self) -> list[psutil.Process]:
        """Its ranks of runs of ours; those of the canary between them are none."""
        found = []
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                run = "mpi4py" in words[:6] and "--run" in words
                if run and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def sshd(self) -> psutil.Process:
        """Its first process."""
        (found,) = [item for item in self.members() if "listener" in " ".join(item.cmdline())]
        return found

    def sessions(self) -> list[psutil.Process]:
        """What serves whoever is logged in."""
        return [item for item in self.members() if "sshd: root" in " ".join(item.cmdline())]

    @contextlib.contextmanager
    def sshd_with(self, before: str, now: str) -> Iterator[None]:
        """With another word in sshd's settings while inside."""
        path = self.folder / "sshd_config"
        settings = path.read_text()
        self._reread(settings.replace(before, now))
        try:
            yield
        finally:
            self._reread(settings)

    def _reread(self, settings: str) -> None:
        (self.folder / "sshd_config").write_text(settings)
        (self.folder / "sshd.log").write_text("")
        self.sshd().send_signal(signal.SIGHUP)
        wait_for_sshd(self)

    def begin_stranger(self) -> None:
        """Starts an MPI job of the same user that has nothing to do with us; nothing where it is at work."""
        if not self.strangers():
            program = f"from mpi4py import MPI; import time; MPI.COMM_WORLD.barrier(); {STRANGER}"
            argv = [MPIRUN, "--allow-run-as-root", "-n", "2", "--map-by", ":OVERSUBSCRIBE", "--mca", "pml", "ob1"]
            line = shlex.join([*argv, sys.executable, "-c", program])
            self.run("sh", "-c", f"{line} >/dev/null 2>&1 &")
            wait_for(lambda: len(self.strangers()) == 2)

    def strangers(self) -> set[int]:
        """The process ids of its ranks."""
        found = set()
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()  # mpirun's end in the program as well
                if words[-1:] and words[-1].endswith(STRANGER) and words[0] == sys.executable:
                    found.add(process.pid)
        return found

    def ours(self) -> list[list[str]]:
        """The arguments of every process of a run of ours, daemons and watchers too."""
        return [words for _, words in self._ours()]

    def _ours(self) -> list[tuple[psutil.Process, list[str]]]:
        found = []
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if process.status() != psutil.STATUS_ZOMBIE and any(TOKEN.search(word) for word in words):
                    found.append((process, words))
        return found

    def clean(self) -> None:
        """Ends every process of a run of ours and removes its files and the lease, whatever a test left."""
        deadline = time.monotonic() + 60
        while (found := self._ours()) and time.monotonic() < deadline:
            for process, _ in found:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(0.1)
        self.run("rm", "-rf", "--", f"{WORKDIR}/jobs/lease.json", *self.leftovers(), check=False)

    def leftovers(self) -> list[str]:
        """Files of runs of ours on its disk and in its memory; not those of the checkout, which this machine shares."""
        words = self.run("find", "/tmp", "/dev/shm", f"{WORKDIR}/jobs", "-mindepth", "1", check=False).split()
        return [word for word in words if TOKEN.search(word) and not word.startswith(f"{ROOT}/")]

    def run(self, *argv: str, check: bool = True) -> str:
        """Runs a command inside, as a person at its keyboard would; returns what it printed."""
        assert self.process is not None
        (init,) = psutil.Process(self.process.pid).children()
        done = subprocess.run(
            ["nsenter", "-a", "-t", str(init.pid), *argv], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def limited_to(self, memory_bytes: int) -> Iterator[None]:
        """With so much memory for all that is started on it while inside, by a control group of its own."""
        own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line)
        outer = GROUPS / own.split(":")[2].lstrip("/")
        group = outer / f"convscale-{self.space}"
        group.mkdir()
        try:
            (group / "memory.limit_in_bytes").write_text(str(memory_bytes))
            (group / "cgroup.procs").write_text(str(self.sshd().pid))
            yield
        finally:
            while left := (group / "cgroup.procs").read_text().split():
                for pid in left:
                    with contextlib.suppress(OSError):  # it has ended
                        (outer / "cgroup.procs").write_text(pid)
            group.rmdir()

    def kill(self) -> None:
        """As if its power failed: nothing is said to anybody."""
        self.cut()
        self._end()

    def revive(self) -> None:
        """Powers it on again."""
        (self.folder / "sshd.log").unlink()
        self.boot()
        self.join()
        wait_for_sshd(self)

    def _end(self) -> None:
        if self.process is None:
            return
        for process in psutil.Process(self.process.pid).children() if self.process.poll() is None else []:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stops every process of it where it stands."""
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                process.suspend()

    def go_on(self) -> None:
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                process.resume()

    def cut(self) -> None:
        """Cuts it off from the network."""
        run_here("ip", "-n", self.space, "link", "set", "eth0", "down")

    def join(self) -> None:
        run_here("ip", "-n", self.space, "link", "set", "eth0", "up")

    def close(self) -> None:
        self._end()
        quiet(["ip", "netns", "del", self.space])


def wait_for_sshd(host: Host) -> None:
    deadline = time.monotonic() + 300
    while "Server listening" not in (host.folder / "sshd.log").read_text(errors="replace"):
        assert time.monotonic() < deadline, (host.folder / "sshd.log").read_text()
        time.sleep(0.02)


def wait_for(condition: Callable[[], object], limit_s: float = 300.0) -> None:
    """Waits until it is true; after a look that costs CPU time, as one at all processes does, it waits longer."""
    deadline = time.monotonic() + limit_s
    while True:
        before = time.process_time()
        if condition():
            return
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(max(0.05, 5 * (time.process_time() - before)))
