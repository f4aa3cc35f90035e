"""What cannot be true of a sweep's numbers, and why: gates over its records. Pure.

A gate flags only what is certain beyond the noise; it says nothing of why a number is wrong. The published tables
go through the same gates (results/audit/published.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from results.estimates import INTERVAL, Estimate
from results.formats import estimate, number, plural, with_options
from results.records.launch import MEMORY_BOUND, REPLICA, SUSPECT, Launch, Machine, RankBlock
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.laws import karp_flatt
from results.scaling.line import lines
from results.scaling.speedup import relative_speedup, weak_efficiency
from workload.domain.footprint import predict
from workload.domain.grid import Block, Span, block_of, covers_exactly, whole
from workload.domain.problem import Problem

NUMBERS = "from the numbers alone"
CODE = "from reading the public code"
REPLAY = "from our replay"
GRADES = (NUMBERS, CODE, REPLAY)

SHARE, SUPERLINEAR, WEAK_FALLS, SERIAL, COVERAGE, MEMORY, OUTSIDE_MPI, LIMIT, AGAINST, CPU, NODES, SUMS = (
    "time below the share of the work",
    "speedup above the rank count",
    "weak-scaling time that falls",
    "negative serial fraction",
    "ranges that do not cover the batch",
    "memory below what input and output need",
    "time outside MPI below the arithmetic's limit",
    "time under the physical limit",
    "T1/TN against Gustafson's law",
    "more CPU time than the threads allow",
    "two ranks on one light node",
    "printed sum unlike its parts",
)
GATES = {
    SHARE: "no rank count may be faster than the one-rank time times the work that is left to each rank",
    SUPERLINEAR: "more speedup than ranks needs a cause in evidence: a one-rank run short of memory, parts that fit a "
    "cache where the whole does not",
    WEAK_FALLS: "with the same work a rank, more ranks cannot take less time",
    SERIAL: "no program has less than no serial part",
    COVERAGE: "the parts of all ranks must add up to the output, each element once",
    MEMORY: "a rank holds at least its input and its output",
    OUTSIDE_MPI: "a rank's arithmetic takes place outside MPI calls",
    LIMIT: "no core computes faster than its widest instructions at its highest clock",
    AGAINST: "Gustafson's law is about scaled speedup, N T1/TN; T1/TN of a weak series is efficiency",
    CPU: "a rank's CPU time is at most its threads times the wall time",
    NODES: "a light node has one core: two ranks on it share it",
    SUMS: "a printed total is the sum of what it adds up",
}
MARGIN = 0.05  # beyond an interval, for what the interval does not know of: clocks, turbo, a launch's own luck
LONE_MARGIN = 0.1  # beyond a value that has no interval
# Two AVX-512 multiply-add units of 16 floats at 6 GHz: faster than any x86-64 core that is sold. Operations a second.
CORE_LIMIT = 2 * 16 * 2 * 6e9
ARRAYS_SHARE = 0.9  # of the predicted arrays that a resident peak must reach: the kernel counts pages late
LIGHT = "light"


@dataclass(frozen=True)
class Finding:
    """One number that cannot be true, or one witness: `gate` names why, `evidence` the runs or tables it rests on."""

    gate: str
    where: str
    words: str
    grade: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What the gates flagged, which of them found nothing, what they could not tell, and what stays unexplained."""

    subject: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    untold: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()


def certainly_below(value: Estimate, limit: float) -> bool:
    """True where the value lies below the limit by more than its noise and a margin."""
    margin = MARGIN if value.bounds == INTERVAL else LONE_MARGIN
    return value.high < limit * (1.0 - margin)


def share_of_work(batch: float, ranks: int, one_rank_batch: float) -> float:
    """Work of a rank over that of the one-rank run: below this, t(N) / t(1) of honest work cannot fall."""
    return batch / ranks / one_rank_batch


def least_seconds(flops: float, threads: int = 1) -> float:
    """Seconds that so many floating-point operations take at the very least."""
    return flops / (CORE_LIMIT * threads)


def of_sweep(sweep: RecordedSweep) -> Audit:
    """The gates over every series and every launch that is ok. The replay, wrong on purpose, is left out."""
    found: list[Finding] = []
    for series in sweep.series:
        found += _scaling(series)
    for launch in sweep.launches:
        if launch.ok and launch.run.movement != REPLICA:
            found += _launch(sweep, launch)
    flagged = {finding.gate for finding in found}
    untold = _untold(sweep)
    passed = tuple(gate for gate in GATES if gate not in flagged | {AGAINST, SUMS})
    return Audit(sweep.name, _merged(found), passed, untold)


def _untold(sweep: RecordedSweep) -> tuple[str, ...]:
    told = list(_superlinear_explained(sweep))
    if replays := sum(launch.run.movement == REPLICA for launch in sweep.launches):
        told.append(f"{plural(replays, 'run')} of the replay, wrong on purpose, went through no gate.")
    if not any(launch.ok for launch in sweep.launches):
        told.append("No run is ok: there is nothing to audit.")
    return tuple(told)


def _merged(found: list[Finding]) -> tuple[Finding, ...]:
    """Findings of the same gate, place and words once, with the evidence of all."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        key = (finding.gate, finding.where, finding.words)
        seen = merged.get(key)
        merged[key] = replace(seen, evidence=(*seen.evidence, *finding.evidence)) if seen else finding
    return tuple(merged.values())


def _scaling(series: RecordedSeries) -> Iterator[Finding]:
    for line in lines(series):
        for point in line.points:
            if point.run.ranks > 1 and point.counting:
                yield from _strong(series, point, line.points) if series.scaling == STRONG else ()
                yield from _weak(series, point, line.points) if series.scaling == WEAK else ()


def _strong(series: RecordedSeries, point: RecordedPoint, points: tuple[RecordedPoint, ...]) -> Iterator[Finding]:
    ratio = relative_speedup(point, points)
    if ratio.estimate is None or ratio.baseline is None:
        return
    ranks, time_ratio = point.run.ranks, _inverse(ratio.estimate)
    if not certainly_below(time_ratio, share_of_work(point.run.problem.batch, ranks, point.run.problem.batch)):
        return
    if any(MEMORY_BOUND in launch.marks for launch in ratio.baseline.launches) or fits_a_cache(point, ratio.baseline):
        return
    where, evidence = _where(series, point), (*ratio.baseline.run_ids, *point.run_ids)
    speedup = estimate(ratio.estimate, 3)
    yield Finding(SHARE, where, f"T1 / TN = {speedup} leaves less time than 1/{ranks} of T1", NUMBERS, evidence)
    yield Finding(SUPERLINEAR, where, f"speedup {speedup} on {ranks} ranks; no cause in evidence", NUMBERS, evidence)
    fraction = karp_flatt(ratio.estimate.value, ranks)
    yield Finding(SERIAL, where, f"Karp-Flatt serial fraction {number(fraction, 3)}", NUMBERS, evidence)


def _weak(series: RecordedSeries, point: RecordedPoint, points: tuple[RecordedPoint, ...]) -> Iterator[Finding]:
    ratio = weak_efficiency(point, points)
    if ratio.estimate is None or ratio.baseline is None:
        return
    if certainly_below(_inverse(ratio.estimate), 1.0):
        where, evidence = _where(series, point), (*ratio.baseline.run_ids, *point.run_ids)
        words = f"TN / T1 = {estimate(_inverse(ratio.estimate), 3)} with the same work a rank"
        yield Finding(WEAK_FALLS, where, words, NUMBERS, evidence)
        yield Finding(SHARE, where, words, NUMBERS, evidence)


def fits_a_cache(point: RecordedPoint, baseline: RecordedPoint) -> bool:
    """Whether a cache of every node holds the parts of x and y of its ranks, but not the one-rank run's whole."""
    blocks = [block_of(point.run.problem, point.run.grid, rank) for rank in range(point.run.ranks)]
    part = max(block.x_bytes + block.y_bytes for block in blocks)
    one_rank = baseline.run.problem.x_bytes + baseline.run.problem.y_bytes
    machines = [machine for launch in point.timed for machine in launch.machines]

    def holds(cache: object, ranks: int) -> bool:
        if not isinstance(cache, dict):
            return False
        size, threads = cache.get("bytes"), cache.get("threads")
        if not isinstance(size, int) or not isinstance(threads, int) or threads < 1:
            return False
        return bool(part * min(ranks, threads) <= size < one_rank)

    def explains(machine: Machine) -> bool:
        caches = machine.details.get("caches")
        return isinstance(caches, list) and any(holds(cache, len(machine.placement)) for cache in caches)

    return bool(machines) and all(map(explains, machines))


def _superlinear_explained(sweep: RecordedSweep) -> Iterator[str]:
    """Speedups above the rank count that a cause in evidence may explain."""
    for series in sweep.series:
        for line in lines(series) if series.scaling == STRONG else ():
            for point in line.points:
                ratio = relative_speedup(point, line.points)
                if point.run.ranks == 1 or ratio.estimate is None or ratio.baseline is None:
                    continue
                if not certainly_below(_inverse(ratio.estimate), 1.0 / point.run.ranks):
                    continue
                speedup = f"{_where(series, point)}: speedup {estimate(ratio.estimate, 3)} is not flagged:"
                if any(MEMORY_BOUND in launch.marks for launch in ratio.baseline.launches):
                    yield f"{speedup} the one-rank run waited for pages from disk."
                elif fits_a_cache(point, ratio.baseline):
                    yield f"{speedup} the ranks' parts fit a cache, the one-rank run's input and output do not."


def _inverse(value: Estimate) -> Estimate:
    return value.inverse(1.0)


def _where(series: RecordedSeries, point: RecordedPoint) -> str:
    run = point.run
    movement = with_options(run.movement, run.options)
    return f"{series.name}: {movement}, {run.backend}, {plural(run.ranks, 'rank')}, B = {run.problem.batch}"


def _launch(sweep: RecordedSweep, launch: Launch) -> Iterator[Finding]:
    run = launch.run
    where = f"{run.movement}, {run.backend}, {plural(run.ranks, 'rank')}, B = {run.problem.batch}"

    def finding(gate: str, words: str) -> Finding:
        return Finding(gate, where, words, NUMBERS, (launch.run_id,))

    if not _covers(launch):
        done = sum(block.output_elements for block in launch.blocks)
        told = f"the ranks' parts hold {done} of {run.problem.y_elements} output elements, or some of them twice"
        yield finding(COVERAGE, told)
    if SUSPECT in launch.marks:
        yield finding(CPU, f"a rank used more CPU time than {plural(run.threads, 'thread')} can in its wall time")
    if sweep.profile == LIGHT and any(len(machine.placement) > 1 for machine in launch.machines):
        yield finding(NODES, "a node of the light cluster held two ranks or more")
    if words := _memory(launch):
        yield finding(MEMORY, words)
    yield from (finding(gate, words) for gate, words in _arithmetic(launch))


def _covers(launch: Launch) -> bool:
    """Blocks add up and their output spans cover every element once."""
    problem = launch.run.problem
    if sum(block.output_elements for block in launch.blocks) != problem.y_elements:
        return False
    blocks = [_block(problem, block) for block in launch.blocks if block.output_elements > 0]
    return covers_exactly(problem, blocks)


def _block(problem: Problem, block: RankBlock) -> Block:
    return replace(whole(problem), **{axis: Span(*span) for axis, span in block.spans.items()})


def _memory(launch: Launch) -> str:
    """Pages of shared windows count in the rank that touched them, so that movement tells nothing here."""
    run = launch.run
    if run.movement == "shared" or MEMORY_BOUND in launch.marks:
        return ""
    arrays = predict(run.problem, run.grid, run.movement, run.options, run.ranks_per_node).array_bytes
    for memory in launch.memory:
        peak = memory.peak_rss_bytes
        if peak is not None and peak < ARRAYS_SHARE * arrays[memory.rank]:
            return (
                f"rank {memory.rank} peaked at {number(peak / 2**20)} MiB, but its input and output take "
                f"{number(arrays[memory.rank] / 2**20)} MiB"
            )
    return ""


def _arithmetic(launch: Launch) -> Iterator[tuple[str, str]]:
    blocks = {block.rank: block for block in launch.blocks}
    threads = launch.run.threads
    told: set[str] = set()
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            least_s = least_seconds(_flops(launch.run.problem, blocks[rank.rank]), threads)
            outside_s, convolve_s = rank.app_s - rank.mpi_s, rank.parts_s["convolve"]
            for gate, seconds, name in ((OUTSIDE_MPI, outside_s, "outside MPI"), (LIMIT, convolve_s, "in convolve")):
                if seconds < least_s and gate not in told:
                    told.add(gate)
                    yield (
                        gate,
                        f"rank {rank.rank} spent {number(seconds, 3)} s {name}, but needs {number(least_s, 3)} s",
                    )


def _flops(problem: Problem, block: RankBlock) -> float:
    own = _block(problem, block)
    return 2.0 * own.y_elements * len(own.in_channel) * len(own.tap_row) * len(own.tap_column)
