"""Several hosts on a bridge, furnished with keys, and the inventory that says so. Only root may make them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from infra import hostfile
from tests.cluster.host import HOME, SSHD, WORKDIR, Host, path_here, quiet, run_here, wait_for_sshd
from tests.orchestration.support import ROOT


def reason_against() -> str:
    """Why hosts cannot be made here; empty where they can."""
    if os.getuid() != 0:
        return "hosts of their own need root"
    missing = [
        name for name in ("ip", "unshare", "ssh", "ssh-keygen", "sshd") if shutil.which(name, path=path_here()) is None
    ]
    if missing:
        return f"hosts of their own need {', '.join(missing)}"
    tried = quiet(["ip", "netns", "add", f"cstry{os.getpid()}"])
    quiet(["ip", "netns", "del", f"cstry{os.getpid()}"])
    return "" if tried else "this kernel refuses network namespaces"


def claim() -> int:
    """The number of a network that is nobody's: its namespace is made, which a second claim of the number cannot."""
    for number in range(1, 255):
        if quiet(["ip", "netns", "add", f"cs{number}br"]):
            return number
    raise OSError("every network of the tests is taken: 'ip netns' lists them")


@dataclass
class Hosts:
    """Some hosts on one network, which the operator is on as well, and the files of the cluster that they make."""

    folder: Path
    count: int
    slots: int = 1
    shift: int = 0
    hosts: list[Host] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = claim()
        self.prefix = f"cs{number}"
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
        self._plug_in()
        cluster = self.folder / "cluster"
        cluster.mkdir(parents=True)
        for name in ("id_ed25519", "node_key"):
            make_key(cluster / name)
        for number in range(1, self.count + 1):
            host = Host(number, self.prefix, self.subnet, self.folder / f"node{number}", self.shift)
            self.hosts.append(host)
            self._furnish(host)
            host.start(self.bridge_space)
        self.describe()
        for host in self.hosts:
            wait_for_sshd(host)

    def _plug_in(self) -> None:
        """Makes the network, with the operator on it."""
        run_here("ip", "-n", self.bridge_space, "link", "add", "br0", "type", "bridge")
        run_here("ip", "-n", self.bridge_space, "link", "set", "br0", "up")
        run_here(
            "ip", "link", "add", f"{self.prefix}o", "type", "veth", "peer", "name", "eth9", "netns", self.bridge_space
        )
        run_here("ip", "-n", self.bridge_space, "link", "set", "eth9", "master", "br0", "up")
        run_here("ip", "addr", "add", f"{self.subnet}.254/24", "dev", f"{self.prefix}o")
        run_here("ip", "link", "set", f"{self.prefix}o", "up")

    def _furnish(self, host: Host) -> None:
        """What lies on the host's own disk."""
        cluster, folder = self.folder / "cluster", host.folder
        (folder / "convscale").mkdir(parents=True)
        for room in ("workload", "tests"):
            (folder / "convscale" / room).symlink_to(ROOT / room)
        (folder / "home" / ".ssh").mkdir(parents=True, mode=0o700)
        make_key(folder / "host_key")
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
            "interface_subnet": f"{self.subnet}.0/24", "executor": "ssh", "transport": "tcp",
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
        quiet(["ip", "link", "del", f"{self.prefix}o"])
        quiet(["ip", "netns", "del", self.bridge_space])


def make_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    run_here("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path))


def _other_users() -> str:
    lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("root:"))
