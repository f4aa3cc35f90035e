"""This machine as a cluster of one node, which is always up: its slots and its memory."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra import hostfile
from orchestration.clusters import inventory
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator
from workload.instruments.processors import usable

NAME = "local"


class ThisMachine(Provider):
    """The provider of the one cluster `local`; its inventory is made anew each time."""

    kind = "this machine"

    def names(self, root: Path) -> Sequence[str]:
        return (NAME,)

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        return describe(root, utc)

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is this machine, and always up: give another --cluster")

    def check_down(self, cluster: str, operator: Operator) -> None:
        raise Refusal(f"cluster {cluster} is this machine, which fab does not take down: give another --cluster")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)


def describe(root: Path, utc: str) -> Inventory:
    """The inventory of this machine."""
    node = {
        "name": NAME,
        "address": socket.gethostname(),
        "slots": slots(),
        "memory_bytes": psutil.virtual_memory().total,
    }
    cluster = {
        "cluster": NAME,
        "profile": NAME,
        "default_study": "quick",
        "python": str(Path(sys.prefix) / "bin" / "python"),
        "workdir": str(root),
        "executor": "local",
        "transport": "auto",
        "created_at": utc,
    }
    return inventory.parse(hostfile.describe(cluster, [node])[1], NAME)


def slots() -> int:
    """Ranks this machine takes: the physical cores that this process may use and keep busy."""
    return usable().cores
