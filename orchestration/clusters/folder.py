"""The folder of a cluster, infra/clusters/<name>/: its paths, and its inventory with the files that it names."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from orchestration.clusters import inventory
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.folders import own_folder


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
    def description(self) -> Path:
        """Of a cluster with Slurm, whose inventory each job has of its own."""
        return self.folder / "cluster.toml"

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
    return own_folder(root / "infra" / "clusters", "clusters", os.environ)


def folder_of(cluster: str, root: Path) -> ClusterFolder:
    """The folder of a cluster's name, whether it is there or not. Raises Refusal for what cannot be a name."""
    if not re.fullmatch(inventory.NAME, cluster):
        raise Refusal(f"{cluster!r} cannot be the name of a cluster: {inventory.PATTERNS[inventory.NAME]}")
    return ClusterFolder(home(root).absolute() / cluster)


def read_cluster(path: Path) -> Inventory:
    """The inventory in a file; the paths of the key and of known_hosts are made absolute: they lie beside it.

    Raises Refusal, also where the file says that it describes this machine and it does not.
    """
    found = inventory.read(path)
    if found.is_this_machine:
        return _here(found, str(path))
    return beside(found, path.parent)


def beside(found: Inventory, folder: Path) -> Inventory:
    """The inventory with its files' paths made absolute: relative ones lie in the folder."""
    named = {name: getattr(found, name) for name in ("key_file", "known_hosts")}
    return found.model_copy(
        update={name: str(folder / Path(value).expanduser()) for name, value in named.items() if value is not None}
    )


def _here(found: Inventory, name: str) -> Inventory:
    if len(found.nodes) > 1:
        raise Refusal(f"{name} describes {len(found.nodes)} nodes, executor 'local': executor 'ssh' takes several")
    address = found.nodes[0].address
    if address not in (socket.gethostname(), "localhost", "127.0.0.1"):
        raise Refusal(f"{name} describes {address}, but this machine is {socket.gethostname()}: run it there")
    return found
