"""The published method replayed beside the correct one: how t(N) / t(1) falls in each, and how much work is done.

Replays on two or more ranks give a wrong answer, as planned. Nothing here is a speedup.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from results.audit import gates
from results.audit.gates import Finding
from results.audit.paper import published
from results.estimates import Estimate, one, ratio_estimate
from results.records.launch import RecordedLaunch
from results.records.measurement import RankRepeat
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from workload.movement.descriptions.replica import replica_images
from workload.record.outcomes import OK, WRONG_ANSWER

REPLICA, CORRECT = "replica", "scatter-gather"
FOLLOWS = 0.1  # share of the work by which the replay's CPU time may differ
Quantity = Callable[[RecordedLaunch], float | None]


@dataclass(frozen=True)
class ReplayRow:
    """One rank count of one backend. Ratios are t(N) / t(1), or None if a time is missing.

    Attributes:
        images: images that a rank of the replay convolves.
        work: `images` over the batch of the one-rank run.
        crowding: N over the number of cores if there are fewer cores than ranks, else 1.
        published: ratios of the published times, by cluster.
        replayed_fat: by the clock of the paper's fat cluster (convolution, barrier, allgather).
        replayed_light: by the clock of its light cluster (broadcast to gather).
        correct: forward time of the correct method.
        convolve_cpu: CPU time of the replay's convolve phase.
        even_cpu: the same at equal core speed: each rank's seconds times the operations per second that its core
            reached in the yardstick at that time, so that a slowed core does not look like more work.
        convolve: wall time of the replay's convolve phase, expected to be `work` times `crowding`.
        even_convolve: the same at equal core speed.
    """

    backend: str
    ranks: int
    batch: int
    images: int
    work: float
    crowding: float
    published: Mapping[str, float | None]
    replayed_fat: Estimate | None
    replayed_light: Estimate | None
    correct: Estimate | None
    convolve_cpu: Estimate | None
    even_cpu: Estimate | None
    convolve: Estimate | None
    even_convolve: Estimate | None
    run_ids: tuple[str, ...]


def rows(series: RecordedSeries) -> list[ReplayRow]:
    """One row per backend and rank count; empty unless the series has a replay on two or more ranks."""
    replays = [point for point in series.points if point.convolution.movement == REPLICA]
    if series.scaling not in (STRONG, WEAK) or all(point.run.ranks == 1 for point in replays):
        return []
    return list(_rows(series, replays))


def by_backend(series: RecordedSeries) -> dict[str, list[ReplayRow]]:
    """The rows of a series by backend."""
    found: dict[str, list[ReplayRow]] = {}
    for row in rows(series):
        found.setdefault(row.backend, []).append(row)
    return found


def findings(sweep: RecordedSweep) -> Iterator[Finding]:
    """Whether CPU time of the replay's convolve phase follows the batch divided twice, at equal core speed if known."""
    for series in sweep.series:
        for backend, found in by_backend(series).items():
            told = [(row, row.even_cpu or row.convolve_cpu) for row in found if row.ranks > 1 and row.work > 0.0]
            those = [(row, cpu) for row, cpu in told if cpu is not None]
            if not those:
                continue
            worst = max(abs(cpu.value / row.work - 1.0) for row, cpu in those)
            follows = "follow" if worst <= FOLLOWS else "do not follow"
            counts = ", ".join(str(row.ranks) for row, _ in those)
            even = ", at equal core speed," if all(row.even_cpu for row, _ in those) else ""
            words = (
                f"the replay's CPU seconds of convolve{even} {follows} floor(floor(B/N)/N) at N = {counts} (off by "
                f"{worst:.1%} at most)"
            )
            ids = tuple(run_id for row, _ in those for run_id in row.run_ids)
            yield Finding(gates.SHARE, f"{sweep.name}: {series.name}, {backend}", words, ids, gates.REPLAY)


def replayed(point: RecordedPoint) -> list[RecordedLaunch]:
    """The launches of a replay that ran to the end: right on one rank, wrong on more, as planned."""
    return [launch for launch in point.launches if launch.outcome in (OK, WRONG_ANSWER) and launch.repeats]


def fat_clock_s(launch: RecordedLaunch) -> float:
    """Median seconds of convolution, barrier and allgather, longest rank: convolve and collect without the gather."""
    count = len(launch.repeats)
    gather_s = {call.rank: call.time_s / count for call in launch.mpi_calls if call.call == "Gatherv"}
    return statistics.median(
        max(rank.parts_s["convolve"] + rank.parts_s["collect"] - gather_s.get(rank.rank, 0.0) for rank in repeat.ranks)
        for repeat in launch.repeats
    )


def _rows(series: RecordedSeries, replays: list[RecordedPoint]) -> Iterator[ReplayRow]:
    for point in replays:
        run = point.convolution
        base = next((p for p in replays if p.run.ranks == 1 and p.convolution.backend == run.backend), None)
        correct = {
            p.run.ranks: p
            for p in series.points
            if (p.convolution.movement, p.convolution.backend) == (CORRECT, run.backend)
        }
        one_batch = base.convolution.problem.batch if base else run.problem.batch
        images = replica_images(run.problem.batch, run.ranks)
        yield ReplayRow(
            backend=run.backend,
            ranks=run.ranks,
            batch=run.problem.batch,
            images=images,
            work=images / one_batch,
            crowding=max(1.0, run.ranks / cores) if (cores := _cores(point)) else 1.0,
            published=_published(series.scaling, run.ranks),
            replayed_fat=_ratio(point, base, fat_clock_s),
            replayed_light=_ratio(point, base, _median("forward_s")),
            correct=_ratio(correct.get(run.ranks), correct.get(1), _median("forward_s")),
            convolve_cpu=_ratio(point, base, _cpu_s),
            even_cpu=_ratio(point, base, _even_cpu),
            convolve=_ratio(point, base, _median("convolve_s")),
            even_convolve=_ratio(point, base, _even_convolve),
            run_ids=point.run_ids,
        )


def _median(clock: str) -> Quantity:
    return lambda launch: launch.median_s(clock)


def _of_ranks(value: Callable[[RankRepeat], float | None], over: Callable[[list[float]], float]) -> Quantity:
    """A median over repeats, of the ranks' values reduced by `over`; None if a rank has no value."""

    def quantity(launch: RecordedLaunch) -> float | None:
        repeats = [[value(rank) for rank in repeat.ranks] for repeat in launch.repeats]
        told = [[found for found in ranks if found is not None] for ranks in repeats]
        return statistics.median(map(over, told)) if told == repeats else None

    return quantity


def _even(rank: RankRepeat, seconds: float) -> float | None:
    """A rank's seconds in operations of the yardstick; None if the record does not have the speed of its core."""
    return None if rank.core_flops_per_s is None else seconds * rank.core_flops_per_s


# the median over ranks, since all have the same number of images
_cpu_s = _of_ranks(lambda rank: rank.convolve_cpu_s, statistics.median)
_even_cpu = _of_ranks(lambda rank: _even(rank, rank.convolve_cpu_s), statistics.median)
_even_convolve = _of_ranks(lambda rank: _even(rank, rank.parts_s["convolve"]), max)


def _ratio(point: RecordedPoint | None, base: RecordedPoint | None, quantity: Quantity) -> Estimate | None:
    if point is None or base is None:
        return None
    above, below = ([quantity(launch) for launch in _usable(p)] for p in (point, base))
    values = [value for value in (*above, *below) if value is not None and value > 0.0]
    if not above or not below or len(values) < len(above) + len(below):
        return None
    return one(len(above)) if point is base else ratio_estimate(values[: len(above)], values[len(above) :])


def _usable(point: RecordedPoint) -> list[RecordedLaunch]:
    return replayed(point) if point.convolution.movement == REPLICA else list(point.counting)


def _cores(point: RecordedPoint) -> int:
    """Number of cores of the machines that one launch ran on; 0 if not recorded."""
    counts = [machine.details.get("cores") for machine in point.launches[0].machines]
    return sum(count for count in counts if isinstance(count, int))


def _published(scaling: str, ranks: int) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for cluster in published.CLUSTERS:
        those = [run for run in published.runs() if (run.cluster, run.scaling) == (cluster, scaling)]
        times = {run.processes: run.time_s for run in those}
        time_s, one_s = times.get(ranks), times.get(1)
        found[cluster] = time_s / one_s if time_s and one_s else None
    return found
