"""machines.toml: machine types, what they can do, and what they and what stands beside them cost.

Also read from outside the program, which imports it by its own name.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 2
GIBIBYTE = 2**30
GIGABYTE = 10**9
GIGABIT = 1e9 / 8  # bytes


@dataclass(frozen=True)
class Rate:
    """What one unit costs an hour, who says so and when (YYYY-MM-DD)."""

    amount_per_hour: float
    unit: str
    source: str
    date: str
    most_per_hour: float | None = None  # of all units together


@dataclass(frozen=True)
class Limit:
    """What a machine can do at most, stated or derived from what is, by whom and when (YYYY-MM-DD)."""

    value: float
    basis: str
    source: str
    date: str


@dataclass(frozen=True)
class Gpus:
    """The GPUs that are built into a machine: how many of what, and the quotas that they count against.

    `memory_bytes` and `limits` are of one GPU, `spot_quota` of spot machines. Limits are those that are known:
    link_bytes_per_s each way, memory_bytes_per_s, flops_per_s.
    """

    count: int
    name: str
    memory_bytes: int
    quota: str
    spot_quota: str
    limits: Mapping[str, Limit]


@dataclass(frozen=True)
class MachineType:
    """A machine type; `threads_per_core` and `cpu_platforms` are what may be set, both empty where nothing may.

    `cpu_platforms` is in the order of their age, and the last is asked for where nothing else is set.
    `mixed_processors`: Google chooses the processor of each machine, and takes no wish. `compact_placement`: Google
    takes the wish that the machines stand close together. `live_migration`: Google moves them to other hosts for
    maintenance, where it ends others. `disk_types` is what they may boot from, the usual one first.

    `gpus` is None where it has none; `on_demand`, `spot` and `cores` where nobody has stated them. `limits` are of
    the whole machine, those that are known: network_bytes_per_s, tier1_bytes_per_s, network_latency_s,
    memory_bytes_per_s, flops_per_s.
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
    live_migration: bool
    disk_types: tuple[str, ...]
    cores: Limit | None
    limits: Mapping[str, Limit]
    gpus: Gpus | None = None

    @property
    def gpu_count(self) -> int:
        return 0 if self.gpus is None else self.gpus.count


@dataclass(frozen=True)
class Catalogue:
    """The whole file; its prices hold in `region` alone."""

    currency: str
    region: str
    machines: Mapping[str, MachineType]
    disks: Mapping[str, Rate]
    address: Rate
    nat: Rate

    def near(self, name: str) -> str:
        """The described types whose names are nearest to a name that is none, for a refusal."""
        found = difflib.get_close_matches(name, self.machines, 3, 0.5)
        return ", ".join(found) or f"families {', '.join(sorted({each.partition('-')[0] for each in self.machines}))}"


def read(path: Path) -> Catalogue:
    """machines.toml. Raises OSError, KeyError where the file is not as documented in it."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if document["schema_version"] != SCHEMA_VERSION:
        raise KeyError(f"{path.name} has schema_version {document['schema_version']}, not {SCHEMA_VERSION}")
    prices, sources = document["prices"], document["sources"]
    machines = (each for values in document["families"].values() for each in _family(values, prices, sources))
    return Catalogue(
        currency=document["currency"],
        region=document["region"],
        machines={each.name: each for each in machines},
        disks={name: _rate(values) for name, values in prices["disk"].items()},
        address=_rate(prices["address"]),
        nat=_rate(prices["nat"]),
    )


def _family(
    family: Mapping[str, Any], prices: Mapping[str, Any], sources: Mapping[str, Mapping[str, str]]
) -> Iterator[MachineType]:
    """Every type of a family."""
    stated = sources[family["stated"]]
    for name, values in family["types"].items():
        cores = values.get("sustained_cores", values["vcpus"] // family["threads"])
        yield MachineType(
            name=name,
            vcpus=values["vcpus"],
            memory_bytes=values["memory_gib"] * GIBIBYTE,
            shared_core=values.get("shared_core", False),
            threads_per_core=tuple(family["threads_per_core"]),
            cpu_platforms=tuple(family["cpu_platforms"]),
            mixed_processors=family["mixed_processors"],
            compact_placement=family["compact_placement"],
            cpu_quota=family["cpu_quota"],
            on_demand=_price(values.get("on_demand"), prices["machines"], "source"),
            spot=_price(values.get("spot"), prices["machines"], "spot_source"),
            live_migration=family["live_migration"],
            disk_types=tuple(family["disk_types"]),
            cores=Limit(cores, "stated", stated["source"], stated["date"]),
            limits=dict(_limits(values, family["limits"], cores, stated)),
            gpus=_gpus(values.get("gpus", 0), family),
        )


def _gpus(count: int, family: Mapping[str, Any]) -> Gpus | None:
    if not count:
        return None
    gpu = family["gpu"]
    limits = {
        key: Limit(each["value"], each["basis"], each["source"], each["date"])
        for key, each in family.get("gpu_limits", {}).items()
    }
    return Gpus(count, gpu["name"], gpu["memory_gb"] * GIGABYTE, gpu["quota"], gpu["spot_quota"], limits)


def _limits(
    values: Mapping[str, Any], of_core: Mapping[str, Any], cores: int, stated: Mapping[str, str]
) -> Iterator[tuple[str, Limit]]:
    """Of one type: what its network is stated to do, and what is known of one core for all that it has."""
    for key, limit in (("network_gbit_per_s", "network_bytes_per_s"), ("tier1_gbit_per_s", "tier1_bytes_per_s")):
        if key in values:
            yield limit, Limit(values[key] * GIGABIT, "stated", stated["source"], stated["date"])
    for name, limit in of_core.items():
        many = 1 if name.endswith("latency_s") else cores
        source = limit["source"] if many == 1 else f"{many} cores, each {limit['source']}"
        yield name, Limit(limit["value"] * many, limit["basis"], source, limit["date"])


def _price(amount: float | None, of_all: Mapping[str, str], source: str) -> Rate | None:
    return None if amount is None else Rate(amount, "machine", of_all[source], of_all["date"])


def _rate(values: Mapping[str, Any]) -> Rate:
    return Rate(
        amount_per_hour=values["amount_per_hour"],
        unit=values["unit"],
        source=values["source"],
        date=values["date"],
        most_per_hour=values.get("most_per_hour"),
    )
