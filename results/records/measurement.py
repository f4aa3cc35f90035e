"""What a launch measured: times of ranks and repeats, memory, blocks, MPI calls, the check, machines.

Types, and the bounds of a time: parse.py and phases.py validate their values, marks.py judges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workload.record.schema import PHASES, SchemaError

READINGS_APART = 0.2
SHORTEST_S, LONGEST_S = 1e-9, 1e9  # a clock's resolution, and thirty years: measurements lie between them
PARTS = (*PHASES, "wait")  # a rank's repeat, without overlaps and gaps


@dataclass(frozen=True)
class RankRepeat:
    """One rank in one repeat, in seconds; `parts_s` is by PARTS.

    `yardstick_flops_per_s`: speed of its core in the yardstick before and after the repeat; None if the record does
    not have it. `profiled_s`: of which `mpi_s` is a part, where a profiler measured both; None where that is `app_s`.
    `device_s`: what the rank's GPU was busy with, by DEVICE_PARTS; None without a GPU.
    """

    rank: int
    parts_s: Mapping[str, float]
    app_s: float
    mpi_s: float
    cpu_s: float
    convolve_cpu_s: float
    yardstick_flops_per_s: tuple[float, float] | None
    profiled_s: float | None = None
    device_s: Mapping[str, float] | None = None

    @property
    def core_flops_per_s(self) -> float | None:
        """All operations of both readings over all their seconds; None without them, or if they contradict each other.

        Nothing is corrected by two readings that differ by more than READINGS_APART of the faster.
        """
        if self.yardstick_flops_per_s is None:
            return None
        before, after = self.yardstick_flops_per_s
        if min(before, after) < (1.0 - READINGS_APART) * max(before, after):
            return None
        return 2.0 / (1.0 / before + 1.0 / after)


@dataclass(frozen=True)
class Repeat:
    """One timed repeat: three clocks in seconds, each the longest over ranks, and the times of every rank."""

    total_s: float
    forward_s: float
    convolve_s: float
    streamed: bool
    memory_bound: bool
    ranks: tuple[RankRepeat, ...]
    headline_s: float = 0.0  # of a program whose headline is a metric of its own

    @property
    def convolve_collect_s(self) -> float:
        """The longest convolve plus collect of a rank."""
        return max(rank.parts_s["convolve"] + rank.parts_s["collect"] for rank in self.ranks)


@dataclass(frozen=True)
class RankMemory:
    rank: int
    peak_rss_bytes: int | None
    pss_bytes: int | None
    baseline_rss_bytes: int


@dataclass(frozen=True)
class RankBlock:
    """The half-open ranges that a rank computes, and the number of output elements that it finishes."""

    rank: int
    spans: Mapping[str, tuple[int, int]]
    output_elements: int


@dataclass(frozen=True)
class MpiCall:
    rank: int
    call: str
    count: int
    bytes: int
    time_s: float


@dataclass(frozen=True)
class AnswerCheck:
    repeats_checked: int
    rows_checked: int
    worst_error_over_tolerance: float | None
    detectable_abs_error: float | None
    spots: int
    spot_max_abs_error: float | None
    passed: bool


@dataclass(frozen=True)
class Machine:
    """A node of the run. `details`: its provenance; `placement`: rank, core and hardware thread of the ranks on it."""

    node: str
    boot_id: str
    details: Mapping[str, Any]
    placement: tuple[tuple[int, int | None, int | None], ...]


@dataclass(frozen=True)
class FoundStores:
    """The stores by which y was written, and the seconds by each kind on which that rests; none if told to."""

    taken: str
    convolve_s: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """What a kind of experiment reads in the measurement of a record; `document` is all of it, for its own tables."""

    repeats: tuple[Repeat, ...]
    memory: tuple[RankMemory, ...] = ()
    warmups: tuple[Repeat, ...] = ()
    blocks: tuple[RankBlock, ...] = ()
    check: AnswerCheck | None = None
    clocks_s: tuple[float, float] | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    stores: FoundStores | None = None
    gpus: tuple[str, ...] = ()  # the UUID of each rank's


def seconds(item: Mapping[str, Any], key: str) -> float:
    """The time of that key, in seconds. Raises SchemaError."""
    value = float(item[key])
    if not 0.0 <= value <= LONGEST_S:
        raise SchemaError(f"{key} = {value} is not a time in seconds")
    return value
