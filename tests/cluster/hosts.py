"""Hosts without containers: each its own network, name, processes, /tmp, /dev/shm and sshd. Only root may make them.

They share this machine's programs (the venv), cores and kernel. A host can be killed, paused and cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra import hostfile
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
MPIRUN = str(Path(sys.executable).parent / "mpirun")
STRANGER = "time.sleep(600)"
TOKEN = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


def reason_against() -> str:
    """Why hosts cannot be made here; empty where they can."""
    if os.getuid() != 0:
        return "hosts of their own need root"
    missing = [
        name for name in ("ip", "unshare", "ssh", "ssh-keygen", "sshd") if shutil.which(name, path=_path()) is None
    ]
    if missing:
        return f"hosts of their own need {', '.join(missing)}"
    tried = _quiet(["ip", "netns", "add", f"cs{os.getpid()}try"])
    _quiet(["ip", "netns", "del", f"cs{os.getpid()}try"])
    return "" if tried else "this kernel refuses network namespaces"


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _quiet(argv: Sequence[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _run(*argv: str) -> None:
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
        _run("ip", "netns", "add", self.space)
        _run(
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
        _run("ip", "-n", bridge_space, "link", "set", outer, "master", "br0", "up")
        _run("ip", "-n", self.space, "link", "set", "lo", "up")
        _run("ip", "-n", self.space, "addr", "add", f"{self.address}/24", "dev", inner)
        _run("ip", "-n", self.space, "link", "set", inner, "up")
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
        """Its processes; its first one is not in front."""
        assert self.process is not None
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def ranks(self) -> list[psutil.Process]:
        """Its ranks of runs of ours; those of the canary between them are none."""
        found = []
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                run = "mpi4py" in words[:4] and "--run" in words and "workload.canary" not in words
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
        _wait_for_sshd(self)

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
        found = []
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if process.status() != psutil.STATUS_ZOMBIE and any(TOKEN.search(word) for word in words):
                    found.append(words)
        return found

    def leftovers(self) -> list[str]:
        """Files of runs of ours on its disk and in its memory."""
        words = self.run("find", "/tmp", "/dev/shm", f"{WORKDIR}/jobs", "-mindepth", "1", check=False).split()
        return [word for word in words if TOKEN.search(word)]

    def run(self, *argv: str, check: bool = True) -> str:
        """Runs a command inside, as a person at its keyboard would; returns what it printed."""
        assert self.process is not None
        (init,) = psutil.Process(self.process.pid).children()
        done = subprocess.run(
            ["nsenter", "-a", "-t", str(init.pid), *argv], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def kill(self) -> None:
        """As if its power failed: nothing is said to anybody."""
        self.cut()
        self._end()

    def revive(self) -> None:
        """Powers it on again."""
        (self.folder / "sshd.log").unlink()
        self.boot()
        self.join()
        _wait_for_sshd(self)

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
        _run("ip", "-n", self.space, "link", "set", "eth0", "down")

    def join(self) -> None:
        _run("ip", "-n", self.space, "link", "set", "eth0", "up")

    def close(self) -> None:
        self._end()
        _quiet(["ip", "netns", "del", self.space])


@dataclass
class Hosts:
    """Some hosts on one network, which the operator is on as well, and the files of the cluster that they make."""

    folder: Path
    count: int
    slots: int = 1
    shift: int = 0
    hosts: list[Host] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = os.getpid() % 200 + 1
        self.prefix = f"cs{os.getpid()}"
        self.subnet = f"10.213.{number}"
        self.bridge_space = f"{self.prefix}br"

    def __enter__(self) -> Hosts:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> Host:
        return self.hosts[0]

    @property
    def inventory(self) -> Path:
        return self.folder / "cluster" / "inventory.json"

    def _start(self) -> None:
        _run("ip", "netns", "add", self.bridge_space)
        _run("ip", "-n", self.bridge_space, "link", "add", "br0", "type", "bridge")
        _run("ip", "-n", self.bridge_space, "link", "set", "br0", "up")
        _run("ip", "link", "add", f"{self.prefix}o", "type", "veth", "peer", "name", "eth9", "netns", self.bridge_space)
        _run("ip", "-n", self.bridge_space, "link", "set", "eth9", "master", "br0", "up")
        _run("ip", "addr", "add", f"{self.subnet}.254/24", "dev", f"{self.prefix}o")
        _run("ip", "link", "set", f"{self.prefix}o", "up")
        cluster = self.folder / "cluster"
        cluster.mkdir(parents=True)
        for name in ("id_ed25519", "node_key"):
            _make_key(cluster / name)
        for number in range(1, self.count + 1):
            host = Host(number, self.prefix, self.subnet, self.folder / f"node{number}", self.shift)
            self.hosts.append(host)
            self._furnish(host)
            host.start(self.bridge_space)
        self.describe()
        for host in self.hosts:
            _wait_for_sshd(host)

    def _furnish(self, host: Host) -> None:
        """What lies on the host's own disk."""
        cluster, folder = self.folder / "cluster", host.folder
        (folder / "convscale").mkdir(parents=True)
        for room in ("workload", "tests"):
            (folder / "convscale" / room).symlink_to(ROOT / room)
        (folder / "home" / ".ssh").mkdir(parents=True, mode=0o700)
        _make_key(folder / "host_key")
        (folder / "sshd_config").write_text(SSHD)
        (folder / "passwd").write_text(f"root:x:0:0:root:{HOME}/home:/bin/bash\n" + _other_users())
        public = [(cluster / f"{name}.pub").read_text() for name in ("id_ed25519", "node_key")]
        (folder / "authorized_keys").write_text("".join(public))
        if host.number == 1:
            shutil.copy(cluster / "node_key", folder / "home" / ".ssh" / "id_ed25519")

    def describe(self, **changes: object) -> Path:
        """Writes the cluster's inventory, hostfile and known_hosts."""
        nodes = [
            {
                "name": host.name, "address": host.address, "slots": self.slots, "memory_bytes": 2**33,
                "ssh": {"via": "direct", "host": host.address, "port": 22} if host.number == 1 else {"via": "head"},
            }
            for host in self.hosts
        ]  # fmt: skip
        cluster = {
            "cluster": "hosts", "profile": "own", "default_study": "quick", "python": sys.executable,
            "workdir": WORKDIR, "user": "root", "key_file": "id_ed25519", "known_hosts": "known_hosts",
            "interface_subnet": f"{self.subnet}.0/24", "launcher": "ssh", "transport": "tcp",
            "created_at": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        text, document = hostfile.describe(cluster | changes, nodes)
        self.inventory.write_text(json.dumps(document))
        (self.inventory.parent / "hostfile").write_text(text)
        self.pin()
        return self.inventory

    def pin(self) -> None:
        """Writes known_hosts: what each host's key is now."""
        lines = []
        for host in self.hosts:
            kind, key, *_ = (host.folder / "host_key.pub").read_text().split()
            lines.append(f"{host.address} {kind} {key}\n")
        (self.inventory.parent / "known_hosts").write_text("".join(lines))

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        _quiet(["ip", "link", "del", f"{self.prefix}o"])
        _quiet(["ip", "netns", "del", self.bridge_space])


def _make_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path))


def _other_users() -> str:
    lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("root:"))


def _wait_for_sshd(host: Host) -> None:
    deadline = time.monotonic() + 10
    while "Server listening" not in (host.folder / "sshd.log").read_text(errors="replace"):
        assert time.monotonic() < deadline, (host.folder / "sshd.log").read_text()
        time.sleep(0.02)


def wait_for(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    """Waits until it is true."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
