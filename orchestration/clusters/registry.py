"""Names of clusters -> inventories. `local` is made from this machine each time, the others lie in infra/clusters/."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

from orchestration.clusters import inventory, this_machine
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.errors import Refusal
from orchestration.messages import unknown

COMPOSE = ("compose-light", "compose-fat")


@dataclass(frozen=True)
class ClusterFolder:
    """Every path of infra/clusters/<name>/, which git ignores; `folder` is absolute."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.json"

    @property
    def hostfile(self) -> Path:
        return self.folder / "hostfile"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def public_key(self) -> Path:
        return self.folder / "id_ed25519.pub"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`, so that a person's own ssh, scp and rsync reach the nodes."""
        return self.folder / "ssh_config"


def home(root: Path) -> Path:
    """The folder that holds one folder a cluster."""
    return root / "infra" / "clusters"


def names(root: Path) -> list[str]:
    """The clusters that `--cluster` takes by name."""
    made = sorted(path.parent.name for path in home(root).glob("*/inventory.json"))
    return list(dict.fromkeys([this_machine.NAME, *COMPOSE, *stacks(root), *made]))


def stacks(root: Path) -> list[str]:
    """The clusters that Pulumi can make: one Pulumi.<name>.yaml each."""
    return sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml"))


def folder(name: str, root: Path) -> ClusterFolder:
    """The folder of a cluster's name, whether it is there or not. Raises Refusal where no cluster can have the name."""
    if name == this_machine.NAME or not re.fullmatch(inventory.NAME, name):
        raise Refusal(f"cluster {name!r} has no nodes apart from this machine, or is no name: give another --cluster")
    return ClusterFolder(home(root).absolute() / name)


def find(name: str, root: Path, utc: str) -> Inventory:
    """The inventory of a cluster's name, or of the path of an inventory.json; its files' paths absolute.

    Raises Refusal.
    """
    if name == this_machine.NAME:
        return this_machine.describe(root, utc)
    if "/" in name or name.endswith(".json"):
        return _read(Path(name).expanduser().absolute())
    if name not in names(root):
        raise Refusal(unknown("cluster", name, names(root)) + ", or the path of an inventory.json")
    found = folder(name, root)
    if not found.inventory.exists():
        raise Refusal(f"cluster {name} is not up: start it with 'fab up --cluster {name}'")
    return _read(found.inventory)


def called(name: str, root: Path, utc: str) -> str:
    """What sweeps on the cluster call it: it need not be up. Raises Refusal."""
    return name if name in names(root) else find(name, root, utc).cluster


def living(found: Inventory, utc: str) -> Inventory:
    """The same inventory. Raises Refusal where the cluster's lifetime is over."""
    if found.expires_at is not None and lifetime_left_s(found.expires_at, utc) <= 0:
        raise Refusal(
            f"the lifetime of cluster {found.cluster} ended at {found.expires_at}: "
            f"'fab pull' what its head still holds, 'fab down', then bring it up anew"
        )
    return found


def _read(path: Path) -> Inventory:
    """An inventory's file; the files that it names lie beside it."""
    found = inventory.read(path)
    if found.launcher == "local":
        return _here(found, str(path))
    beside = {
        key: str(path.parent / Path(value).expanduser())
        for key in ("key_file", "known_hosts")
        if (value := getattr(found, key)) is not None
    }
    return found.model_copy(update=beside)


def _here(found: Inventory, name: str) -> Inventory:
    """The inventory of a file, as far as it describes this machine. Raises Refusal."""
    if len(found.nodes) > 1:
        raise Refusal(f"{name} describes {len(found.nodes)} nodes, launcher 'local': launcher 'ssh' takes several")
    address = found.nodes[0].address
    if address not in (socket.gethostname(), "localhost", "127.0.0.1"):
        raise Refusal(f"{name} describes {address}, but this machine is {socket.gethostname()}: run it there")
    return found
