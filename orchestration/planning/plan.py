"""A plan: the runs of a sweep in order, whatever they run, and which of them are not to start. Pure."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from orchestration.clusters.inventory import Inventory
from orchestration.jobs.launchers.placement import Placement
from orchestration.planning.study import SLOTS, Series

MEMORY_SHARE = 0.9  # of a node's memory that predicted peaks may fill


class RunDescription(Protocol):
    """What one launch of the ranks is to do; what it is made of is the experiment's."""

    @property
    def run_id(self) -> str:
        """16 hex digits: a digest of what is run and how, never of when or where."""
        ...

    @property
    def ranks(self) -> int: ...

    @property
    def nodes(self) -> int: ...

    @property
    def ranks_per_node(self) -> int: ...

    @property
    def threads(self) -> int: ...

    @property
    def binding(self) -> str: ...

    @property
    def launch(self) -> int: ...

    def as_dict(self) -> dict[str, Any]:
        """The `run` of its record."""
        ...


@dataclass(frozen=True)
class PlannedRun:
    """A run, the series that want it, its place in the order, and what is known of it beforehand.

    `label` says in a few words what is run, `cells` say it in the columns of the experiment. `point` is what its
    launches have in common. `peak_bytes` are the predicted peaks of memory of each rank, None where nothing is known
    of them; `predicted` is the record's. `repeats` are all passes, warm-ups included. `files` are to lie on every
    node before the start. `disk_bytes` are what the run writes; `shares_folder` says that it needs a folder that all
    its nodes see.
    """

    run: RunDescription
    series: tuple[str, ...]
    timeout_s: float
    allowed_ranks: int
    point: Hashable
    label: str
    cells: tuple[str, ...] = ()
    sequence: int = 0
    peak_bytes: tuple[int, ...] | None = None
    predicted: Mapping[str, Any] = field(default_factory=dict)
    repeats: int = 1
    files: tuple[Path, ...] = ()
    disk_bytes: int = 0
    shares_folder: bool = False

    @property
    def placement(self) -> Placement:
        run = self.run
        return Placement(run.ranks, run.nodes, run.ranks_per_node, run.threads, run.binding)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep in order; `notes` names what was left out and how ranks are bound."""

    runs: tuple[PlannedRun, ...]
    notes: tuple[str, ...]


def rank_counts(series: Series, slots: int) -> list[int]:
    """The series' rank counts before the experiment has its say, ascending, each once."""
    if series.ranks != SLOTS:
        return sorted(set(series.ranks))
    counts = [2**power for power in range(slots.bit_length()) if 2**power < slots] + [slots]
    return counts + ([slots * series.oversubscribe] if series.oversubscribe else [])


def spread(ranks: int, inventory: Inventory) -> tuple[int, int]:
    """How many nodes the ranks use, head first, and the most on one: slots are filled node by node."""
    room = 0
    for used, node in enumerate(inventory.nodes, start=1):
        room += node.slots
        if room >= ranks:
            return used, min(ranks, max(item.slots for item in inventory.nodes[:used]))
    nodes = len(inventory.nodes)
    return nodes, -(-ranks // nodes)


Item = TypeVar("Item")


def shuffled(seed: int, points: Sequence[tuple[int, Item]]) -> list[tuple[int, Item]]:
    """Launch after launch, each with its points in an order of its own; `points` come with their launches."""
    ordered: list[tuple[int, Item]] = []
    for launch in range(max(launches for launches, _ in points)):
        those = [(launch, item) for launches, item in points if launch < launches]
        random.Random(f"{seed}/{launch}").shuffle(those)  # noqa: S311  an order, no secret
        ordered += those
    return ordered


def merge(planned: Iterable[PlannedRun], order: Sequence[str]) -> tuple[PlannedRun, ...]:
    """Every run once, under all its series, numbered in order; `order` is that of the series."""
    merged: dict[str, PlannedRun] = {}
    for item in planned:
        seen = merged.get(item.run.run_id)
        if seen is None:
            merged[item.run.run_id] = replace(item, sequence=len(merged))
        else:
            series = tuple(sorted({*seen.series, *item.series}, key=order.index))
            merged[item.run.run_id] = replace(
                seen,
                series=series,
                timeout_s=max(seen.timeout_s, item.timeout_s),
                allowed_ranks=max(seen.allowed_ranks, item.allowed_ranks),
            )
    return tuple(merged.values())


def skip_reason(planned: PlannedRun, inventory: Inventory, cgroup_memory_bytes: Sequence[int | None]) -> str | None:
    """Why the run is not to start here, None where it is; `cgroup_memory_bytes` a node, None for no limit."""
    run = planned.run
    if run.ranks > planned.allowed_ranks:
        return f"{run.ranks} ranks on {inventory.slots} slots, and the series does not ask to oversubscribe"
    peaks = list(planned.peak_bytes or ())
    for index, node in enumerate(inventory.nodes[: run.nodes]):
        here, peaks = peaks[: run.ranks_per_node], peaks[run.ranks_per_node :]
        limit = min(node.memory_bytes, cgroup_memory_bytes[index] or node.memory_bytes)
        if sum(here) > MEMORY_SHARE * limit:
            return (
                f"predicted peaks on {node.name} add up to {sum(here) / 2**20:.0f} MiB: "
                f"more than {MEMORY_SHARE:.0%} of its {limit / 2**20:.0f} MiB"
            )
    return None
