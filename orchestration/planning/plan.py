"""Plans of every kind of experiment: the runs of a sweep in their order, and which must not start. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from orchestration.clusters.inventory import Inventory
from orchestration.jobs import launchers
from orchestration.jobs.job import JobRequest
from orchestration.jobs.launchers.placement import Placement
from orchestration.planning.study import SLOTS, Series
from workload.record.kinds import RecordedRun

MEMORY_SHARE = 0.9  # of a node's memory that predicted peaks may fill
SHARED_MEMORY_BYTES_PER_RANK = 8 * 2**20  # Open MPI's segments took 5 MB a rank


@dataclass(frozen=True)
class PlannedRun:
    """A run, the series that it belongs to, its place in the order, and what is known before it starts.

    `label` says in a few words what is run, `cells` say it in the columns of the experiment. `point` is what its
    launches have in common. `peak_bytes` are the predicted peaks of memory of each rank, None where nothing is known
    of them; `window_bytes` are each rank's shared windows, empty for none. `predicted` is the record's. `repeats` are
    all passes, warm-ups included. `files` are to lie on every node before the start. `disk_bytes` are what the run
    writes; `shares_folder` says that it needs a folder that all its nodes see. `settled` is what was settled for every
    launch of the point and is no part of the run's id: stated by the study, or found by the first launch.
    `brings_its_own`: MPI and libraries are the program's, and nodes may lack ours.
    """

    run: RecordedRun
    series: tuple[str, ...]
    timeout_s: float
    allowed_ranks: int
    point: Hashable
    label: str
    cells: tuple[str, ...] = ()
    sequence: int = 0
    peak_bytes: tuple[int, ...] | None = None
    window_bytes: tuple[int, ...] = ()
    predicted: Mapping[str, Any] = field(default_factory=dict)
    repeats: int = 1
    files: tuple[Path, ...] = ()
    disk_bytes: int = 0
    shares_folder: bool = False
    launcher: str = launchers.DEFAULT
    brings_its_own: bool = False
    settled: Mapping[str, Any] = field(default_factory=dict)

    @property
    def placement(self) -> Placement:
        run = self.run
        return Placement(run.ranks, run.nodes, run.ranks_per_node, run.threads, run.binding)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep in order; `notes` names what was left out and how ranks are bound.

    `block` gives one launch of every point, by its number, in the order of that launch. `setup` and `cleanup` are jobs
    on the head before the first run and after the last, whatever becomes of the runs; `logs` are of what was done on it
    before, by name.
    """

    runs: tuple[PlannedRun, ...]
    notes: tuple[str, ...]
    block: Callable[[int], tuple[PlannedRun, ...]]
    setup: JobRequest | None = None
    cleanup: JobRequest | None = None
    logs: Mapping[str, Path] = field(default_factory=dict)


def rank_counts(series: Series, slots: int) -> list[int]:
    """The rank counts of a series, ascending, before the experiment leaves any out."""
    if series.ranks != SLOTS:
        return sorted(set(series.ranks))
    counts = [2**power for power in range(slots.bit_length()) if 2**power < slots] + [slots]
    return counts + ([slots * series.oversubscribe] if series.oversubscribe else [])


def spread(ranks: int, inventory: Inventory) -> tuple[int, int]:
    """How many nodes the ranks use, and the largest number on one. Slots are filled node by node, the head first."""
    room = 0
    for used, node in enumerate(inventory.nodes, start=1):
        room += node.slots
        if room >= ranks:
            return used, min(ranks, max(item.slots for item in inventory.nodes[:used]))
    nodes = len(inventory.nodes)
    return nodes, -(-ranks // nodes)


Item = TypeVar("Item")


def make_plan(
    seed: int,
    points: Sequence[tuple[int, Item]],
    planned: Callable[[int, Item], PlannedRun],
    order: Sequence[str],
) -> Plan:
    """All launches in order, the points of each shuffled; without notes.

    `points` are pairs: number of launches, point. `planned` makes the run of a launch, by its number. `order` lists the
    names of the series.
    """

    def launch_of(number: int, those: Sequence[Item]) -> list[PlannedRun]:
        shuffled = list(those)
        random.Random(f"{seed}/{number}").shuffle(shuffled)  # noqa: S311  an order, no secret
        return [planned(number, item) for item in shuffled]

    runs: list[PlannedRun] = []
    for number in range(max(launches for launches, _ in points)):
        runs += launch_of(number, [item for launches, item in points if number < launches])
    every = [item for _, item in points]
    return Plan(merge(runs, order), (), lambda number: merge(launch_of(number, every), order))


def merge(planned: Iterable[PlannedRun], order: Sequence[str]) -> tuple[PlannedRun, ...]:
    """Each run once, with all its series, numbered; `order` lists the names of the series."""
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


def skip_reason(planned: PlannedRun, inventory: Inventory, machines: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the run is not to start here, None where it is; `machines` are what the nodes say of themselves."""
    run = planned.run
    if run.ranks > planned.allowed_ranks:
        return f"{run.ranks} ranks on {inventory.slots} slots, and the series does not ask to oversubscribe"
    for index, node in enumerate(inventory.nodes[: run.nodes]):
        ranks = slice(index * run.ranks_per_node, (index + 1) * run.ranks_per_node)
        machine = machines[index]
        limit = min(node.memory_bytes, machine.get("cgroup_memory_bytes") or node.memory_bytes)
        peaks_bytes = sum((planned.peak_bytes or ())[ranks])
        if peaks_bytes > MEMORY_SHARE * limit:
            return (
                f"predicted peaks on {node.name} add up to {_mib(peaks_bytes)}: "
                f"more than {MEMORY_SHARE:.0%} of its {_mib(limit)}"
            )
        needed, free = shared_memory_bytes(planned, index), machine.get("shared_memory_free_bytes")
        if free is not None and needed > free:
            return (
                f"shared memory: {_mib(needed)} of /dev/shm are needed on {node.name}, {_mib(free)} are free: enlarge "
                "it (a container: --shm-size), or use less shared memory"
            )
    return None


def shared_memory_bytes(planned: PlannedRun, node: int) -> int:
    """Bytes that the run needs in /dev/shm of the node of that number: windows, and the launcher's segments.

    Without a window it is 0: segments hold messages on their way, and what little they take is looked at elsewhere.
    """
    run = planned.run
    windows_bytes = sum(planned.window_bytes[node * run.ranks_per_node : (node + 1) * run.ranks_per_node])
    ranks = min(run.ranks - node * run.ranks_per_node, run.ranks_per_node)
    return windows_bytes + ranks * SHARED_MEMORY_BYTES_PER_RANK if windows_bytes else 0


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
