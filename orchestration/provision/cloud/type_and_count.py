"""Clusters that are named by what they are made of: c3-highcpu-22x4 is four machines of the type c3-highcpu-22."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from infra import machines
from orchestration.clusters.folder import folder_of
from orchestration.errors import Refusal

PATTERN = re.compile(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)+)x([0-9]+)")
STACK = re.compile(r"[a-z][a-z0-9]*x[0-9]+")  # what its stack is called
MOST_NODES = 250  # as infra/profiles.py has it


@dataclass(frozen=True)
class TypeAndCount:
    """So many machines of one type."""

    machine_type: str
    count: int

    @property
    def stack(self) -> str:
        """The name of the cluster's stack, which may have no dash: c3highcpu22x4."""
        return f"{self.machine_type.replace('-', '')}x{self.count}"


def read(cluster: str, root: Path) -> TypeAndCount | None:
    """What a cluster's name says; None where it says none, or is the name of machines that are there.

    Raises Refusal where it says a type of Google's that is not described, or a count that cannot be.
    """
    found = PATTERN.fullmatch(cluster)
    file = root / "infra" / "machines.toml"
    if found is None or not file.exists() or folder_of(cluster, root).inventory.exists():
        return None
    catalogue = machines.read(file)
    machine_type, count = found[1], int(found[2])
    if machine_type not in catalogue.machines:
        if machine_type.partition("-")[0] not in {name.partition("-")[0] for name in catalogue.machines}:
            return None
        raise Refusal(
            f"machine type {machine_type!r} is not described in infra/machines.toml: near it are "
            f"{catalogue.near(machine_type)}"
        )
    if not 1 <= count <= MOST_NODES:
        raise Refusal(f"--cluster {cluster}: give from 1 to {MOST_NODES} machines, as in {machine_type}x4")
    return TypeAndCount(machine_type, count)
