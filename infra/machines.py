"""machines.toml: machine types, and what they and what stands beside them cost."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rate:
    """What one unit costs an hour, who says so and when (YYYY-MM-DD)."""

    amount_per_hour: float
    unit: str
    source: str
    date: str
    most_per_hour: float | None = None  # of all units together


@dataclass(frozen=True)
class MachineType:
    """A machine type; `threads_per_core` and `cpu_platforms` are what may be set, both empty where nothing may.

    `cpu_platforms` is in the order of their age, and the last is asked for where nothing else is set.
    `mixed_processors`: Google chooses the processor of each machine, and takes no wish. `compact_placement`: Google
    takes the wish that the machines stand close together. `on_demand` and `spot` are None where nobody has stated the
    price.
    """

    name: str
    vcpus: int
    memory_bytes: int
    shared_core: bool
    threads_per_core: tuple[int, ...]
    cpu_platforms: tuple[str, ...]
    mixed_processors: bool
    compact_placement: bool
    cpu_quota: str
    on_demand: Rate | None
    spot: Rate | None


@dataclass(frozen=True)
class Catalogue:
    """The whole file; its prices hold in `region` alone."""

    currency: str
    region: str
    machines: Mapping[str, MachineType]
    disks: Mapping[str, Rate]
    address: Rate
    nat: Rate


def read(path: Path) -> Catalogue:
    """machines.toml. Raises OSError, KeyError where the file is not as documented in it."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    prices = document["prices"]
    return Catalogue(
        currency=document["currency"],
        region=document["region"],
        machines={name: _machine(name, values) for name, values in document["machines"].items()},
        disks={name: _rate(values) for name, values in prices["disk"].items()},
        address=_rate(prices["address"]),
        nat=_rate(prices["nat"]),
    )


def _machine(name: str, values: Mapping[str, Any]) -> MachineType:
    return MachineType(
        name=name,
        vcpus=values["vcpus"],
        memory_bytes=values["memory_bytes"],
        shared_core=values["shared_core"],
        threads_per_core=tuple(values["threads_per_core"]),
        cpu_platforms=tuple(values["cpu_platforms"]),
        mixed_processors=values["mixed_processors"],
        compact_placement=values["compact_placement"],
        cpu_quota=values["cpu_quota"],
        on_demand=_rate(values["on_demand"]),
        spot=_rate(values["spot"]),
    )


def _rate(values: Mapping[str, Any]) -> Rate:
    return Rate(
        amount_per_hour=values["amount_per_hour"],
        unit=values.get("unit", "machine"),
        source=values["source"],
        date=values["date"],
        most_per_hour=values.get("most_per_hour"),
    )
