"""This machine as a cluster of one node, which is always up: its slots and its memory."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra import hostfile
from orchestration.clusters import allocation, inventory
from orchestration.clusters.allocation import GrantedNode
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator
from workload.instruments.processors import usable

NAME = "local"


@dataclass(frozen=True)
class ThisMachine(Provider):
    """The provider of the one cluster `local`; its inventory is made anew each time.

    On a node of a Slurm job it is what the job was granted there.
    """

    environment: Mapping[str, str] = field(default_factory=dict)

    kind = "this machine"

    def names(self, root: Path) -> Sequence[str]:
        return (NAME,)

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        return describe(root, utc, granted(self.environment))

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is this machine, and always up: give another --cluster")

    def check_down(self, cluster: str, operator: Operator) -> None:
        raise Refusal(f"cluster {cluster} is this machine, which fab does not take down: give another --cluster")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)


def granted(environment: Mapping[str, str]) -> GrantedNode | None:
    """What the Slurm job that this process is in was granted of this machine; None outside of one."""
    if allocation.NODE not in environment or (found := allocation.read(environment)) is None:
        return None
    return next((node for node in found.nodes if node.name == environment[allocation.NODE]), None)


def describe(root: Path, utc: str, grant: GrantedNode | None = None) -> Inventory:
    """The inventory of this machine, or of what was granted of it."""
    memory_bytes = psutil.virtual_memory().total
    node = {
        "name": NAME,
        "address": socket.gethostname(),
        "slots": slots() if grant is None else min(slots(), grant.slots),
        "memory_bytes": memory_bytes if grant is None else min(memory_bytes, grant.memory_bytes),
    }
    return of_checkout(NAME, root, utc, [node], NAME, executor="local")


def of_checkout(
    name: str, root: Path, utc: str, nodes: Sequence[Mapping[str, Any]], source: str, **further: Any
) -> Inventory:
    """The inventory of nodes that use this very checkout and Python; `further` keys are the kind of cluster's own.

    Raises Refusal, which names the source.
    """
    cluster = {
        "cluster": name,
        "profile": name,
        "default_study": "quick",
        "python": str(Path(sys.prefix) / "bin" / "python"),
        "workdir": str(root),
        "transport": "auto",
        "created_at": utc,
        **further,
    }
    return inventory.parse(hostfile.describe(cluster, nodes)[1], source)


def slots() -> int:
    """Ranks this machine takes: the physical cores that this process may use and keep busy."""
    return usable().cores
