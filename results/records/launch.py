"""One record as frozen types: what one `mpirun` was asked, and what came of it.

Records may come from machines that are not trusted: values are proved here, text is kept as text.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from workload.record.outcomes import OK
from workload.record.run import Run
from workload.record.schema import PHASES, SchemaError

SUSPECT = "suspect"
MEMORY_BOUND = "memory-bound"
OVERSUBSCRIBED = "oversubscribed"
SMT = "SMT"
MIXED = "mixed processors"
STREAMED = "streamed"
CLOCKS_DISAGREE = "clocks disagree"
MARKS = {
    SUSPECT: "more CPU time than its threads could use in the wall time: it enters no speedup",
    MEMORY_BOUND: "waited for pages from disk in a timed repeat",
    OVERSUBSCRIBED: "more ranks on a node than it has slots",
    SMT: "two ranks share a core",
    MIXED: "its ranks ran on several models of processor: a speedup or a law holds their difference too",
    STREAMED: "no moment when all input or all output is in place: its forward time is its total time",
    CLOCKS_DISAGREE: "MPI's clock and the system's monotonic clock differ by more than 1 %",
}
PARTS = (*PHASES, "wait")  # a rank's repeat, without overlap and without a gap
CPU_EXCESS = 1.1
# Two readings of CPU time may each be off by one tick of the kernel's accounting, 10 ms where it counts by
# ticks (USER_HZ = 100). A repeat of a few milliseconds would otherwise be marked by rounding alone.
CPU_FLOOR_S = 0.02
CLOCK_TOLERANCE = 0.01
SHORTEST_S, LONGEST_S = 1e-9, 1e9  # a clock's resolution, and thirty years: beyond either lies no measurement
REPLICA = "replica"  # the movement that is wrong on purpose


@dataclass(frozen=True)
class RankRepeat:
    """One rank in one repeat, seconds; `parts_s` has PARTS.

    `core_flops_per_s`: how fast its core did the yardstick round the repeat, all operations of before and after over
    all their seconds; None where the record has none.
    """

    rank: int
    parts_s: Mapping[str, float]
    app_s: float
    mpi_s: float
    cpu_s: float
    convolve_cpu_s: float
    core_flops_per_s: float | None


@dataclass(frozen=True)
class Repeat:
    """One timed repeat: three clocks in seconds, each the longest over ranks, and every rank's parts."""

    total_s: float
    forward_s: float
    convolve_s: float
    streamed: bool
    memory_bound: bool
    ranks: tuple[RankRepeat, ...]

    @property
    def convolve_collect_s(self) -> float:
        """Longest convolve plus collect of a rank."""
        return max(rank.parts_s["convolve"] + rank.parts_s["collect"] for rank in self.ranks)


@dataclass(frozen=True)
class RankMemory:
    rank: int
    peak_rss_bytes: int | None
    pss_bytes: int | None
    baseline_rss_bytes: int


@dataclass(frozen=True)
class RankBlock:
    """Half-open ranges of the output that a rank computes, and the elements of it that it finishes."""

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
    """A node as the run saw it: `details` is its provenance, `ranks` those it held, with core and hardware thread."""

    node: str
    boot_id: str
    details: Mapping[str, Any]
    placement: tuple[tuple[int, int | None, int | None], ...]


@dataclass(frozen=True)
class Launch:
    """One record. `marks` are keys of MARKS."""

    run: Run
    run_id: str
    series: tuple[str, ...]
    sequence: int
    attempt: int
    outcome: str
    reason: str
    exit_status: int | None
    started_utc: str | None
    ended_utc: str | None
    log_tail: str
    repeats: tuple[Repeat, ...]
    memory: tuple[RankMemory, ...]
    blocks: tuple[RankBlock, ...]
    mpi_calls: tuple[MpiCall, ...]
    check: AnswerCheck | None
    machines: tuple[Machine, ...]
    evidence: Mapping[str, Any]
    marks: frozenset[str]

    @property
    def ok(self) -> bool:
        return self.outcome == OK

    @property
    def counts(self) -> bool:
        """True if this launch may enter a speedup."""
        return self.ok and SUSPECT not in self.marks and self.run.movement != REPLICA

    @property
    def streamed(self) -> bool:
        return STREAMED in self.marks

    def median_s(self, clock: str) -> float:
        """Median of the timed repeats by `clock`, an attribute of Repeat in seconds."""
        return float(statistics.median(getattr(repeat, clock) for repeat in self.repeats))


def parse(record: Mapping[str, Any], slots: Mapping[str, int]) -> Launch:
    """The launch of a record that `read_record` has passed.

    `slots` are the slots of each node by every name it has; empty where no inventory tells.

    Raises:
        SchemaError: a value is missing, not finite, or negative, or an ok record lacks its times.
    """
    try:
        return _parse(record, slots)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise SchemaError(f"{record['run_id']}: {error}") from error


def _parse(record: Mapping[str, Any], slots: Mapping[str, int]) -> Launch:
    run = Run.from_dict(record["run"])
    repeats = tuple(_repeat(item) for item in record["repeats"])
    machines = tuple(_machine(item) for item in record["machines"])
    if record["outcome"] == OK:
        _check_times(run, repeats)
    return Launch(
        run=run,
        run_id=record["run_id"],
        series=tuple(record["series"]),
        sequence=record["sequence"],
        attempt=record["attempt"],
        outcome=record["outcome"],
        reason=record["reason"],
        exit_status=record["exit_status"],
        started_utc=record["started_utc"],
        ended_utc=record["ended_utc"],
        log_tail=record["log_tail"],
        repeats=repeats,
        memory=tuple(
            RankMemory(item["rank"], item["peak_rss_bytes"], item["pss_bytes"], item["baseline_rss_bytes"])
            for item in record["memory"]
        ),
        blocks=tuple(_block(item) for item in record["blocks"]),
        mpi_calls=tuple(
            MpiCall(item["rank"], item["call"], item["count"], item["bytes"], _seconds(item, "time_s"))
            for item in record["mpi_calls"]
        ),
        check=_check(record["check"]),
        machines=machines,
        evidence=record["evidence"],
        marks=frozenset(_marks(run, repeats, machines, record["clock_agreement"], slots)),
    )


def _check_times(run: Run, repeats: Collection[Repeat]) -> None:
    if not repeats:
        raise SchemaError("outcome is ok, but it has no timed repeat")
    for repeat in repeats:
        if len(repeat.ranks) != run.ranks:
            raise SchemaError(f"a repeat has the times of {len(repeat.ranks)} ranks, but the run has {run.ranks}")
        if min(repeat.total_s, repeat.forward_s, repeat.convolve_s) < SHORTEST_S:
            raise SchemaError("outcome is ok, but a repeat took no time")


def _repeat(item: Mapping[str, Any]) -> Repeat:
    return Repeat(
        _seconds(item, "total_s"),
        _seconds(item, "forward_s"),
        _seconds(item, "convolve_s"),
        item["streamed"],
        item["memory_bound"],
        tuple(_rank_times(rank) for rank in item["ranks"]),
    )


def _rank_times(item: Mapping[str, Any]) -> RankRepeat:
    parts = {phase: _seconds(item["phases_s"], phase) for phase in PHASES}
    parts["wait"] = _seconds(item, "wait_s")
    return RankRepeat(
        item["rank"],
        parts,
        _seconds(item, "app_s"),
        _seconds(item, "mpi_s"),
        _seconds(item, "cpu_s"),
        _seconds(item, "convolve_cpu_s"),
        _core_speed(item.get("yardstick_flops_per_s")),
    )


def _core_speed(values: Any) -> float | None:
    """The harmonic mean of the readings before and after."""
    if values is None:
        return None
    before, after = map(float, values)
    if not 0.0 < min(before, after) <= max(before, after) < math.inf:
        raise SchemaError(f"yardstick_flops_per_s = {values} is no speed")
    return 2.0 / (1.0 / before + 1.0 / after)


def _seconds(item: Mapping[str, Any], key: str) -> float:
    value = float(item[key])
    if not 0.0 <= value <= LONGEST_S:
        raise SchemaError(f"{key} = {value} is no time in seconds")
    return value


def _block(item: Mapping[str, Any]) -> RankBlock:
    spans = {}
    for axis, span in item.items():
        if isinstance(span, list):
            start, stop = span
            spans[axis] = (int(start), int(stop))
    return RankBlock(item["rank"], spans, item["output_elements"])


def _check(item: Mapping[str, Any]) -> AnswerCheck | None:
    """None for a run that never came to its check."""
    if not item:
        return None
    return AnswerCheck(**{name: item[name] for name in AnswerCheck.__dataclass_fields__})


def _machine(item: Mapping[str, Any]) -> Machine:
    placement = tuple(
        (int(entry["rank"]), entry.get("core"), entry.get("hwthread")) for entry in item["rank_placement"]
    )
    details = {key: value for key, value in item.items() if key != "rank_placement"}
    return Machine(item["node"], item["boot_id"], details, placement)


def _marks(
    run: Run,
    repeats: Collection[Repeat],
    machines: Collection[Machine],
    agreement: Mapping[str, Any],
    slots: Mapping[str, int],
) -> list[str]:
    found = {
        SUSPECT: any(_too_much_cpu(rank, run.threads) for repeat in repeats for rank in repeat.ranks),
        MEMORY_BOUND: any(repeat.memory_bound for repeat in repeats),
        STREAMED: any(repeat.streamed for repeat in repeats),
        OVERSUBSCRIBED: _oversubscribed(run, machines, slots),
        SMT: any(_shares_a_core(machine) for machine in machines),
        MIXED: len({machine.details.get("cpu_model") for machine in machines if machine.placement}) > 1,
        CLOCKS_DISAGREE: _clocks_disagree(agreement),
    }
    return [mark for mark, applies in found.items() if applies]


def _too_much_cpu(rank: RankRepeat, threads: int) -> bool:
    possible_s = threads * rank.app_s
    return rank.cpu_s > max(CPU_EXCESS * possible_s, possible_s + CPU_FLOOR_S)


def _oversubscribed(run: Run, machines: Collection[Machine], slots: Mapping[str, int]) -> bool:
    if not slots:
        return False
    smallest = min(slots.values())  # for a node of another name, and for a run that placed no rank
    placed = [len(machine.placement) > slots.get(machine.node, smallest) for machine in machines if machine.placement]
    return any(placed) if placed else run.ranks_per_node > smallest


def _shares_a_core(machine: Machine) -> bool:
    """More ranks than cores where cores have several threads: told by counting, since core numbers repeat."""
    cores, threads = machine.details.get("cores"), machine.details.get("threads")
    return isinstance(cores, int) and isinstance(threads, int) and threads > cores and len(machine.placement) > cores


def _clocks_disagree(agreement: Mapping[str, Any]) -> bool:
    if not agreement:
        return False
    wtime_s, monotonic_s = _seconds(agreement, "wtime_s"), _seconds(agreement, "monotonic_s")
    return abs(wtime_s - monotonic_s) > CLOCK_TOLERANCE * monotonic_s
