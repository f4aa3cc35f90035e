"""Speedup, efficiency and scaled speedup of points, each with its baseline, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.estimates import Estimate, one
from results.records.point import RecordedPoint, ratio_of


@dataclass(frozen=True)
class Ratio:
    """T1 / TN and the point that gave T1; or no estimate, and why."""

    estimate: Estimate | None
    baseline: RecordedPoint | None
    why_not: str

    @property
    def base(self) -> int:
        """The rank count of the baseline."""
        return self.baseline.run.ranks if self.baseline else 1

    def scaled(self, factor: float) -> Ratio:
        return Ratio(self.estimate.scaled(factor) if self.estimate else None, self.baseline, self.why_not)


def relative_speedup(point: RecordedPoint, series: Sequence[RecordedPoint]) -> Ratio:
    """Strong scaling: against the one-rank point of the same series and variant, by the headline.

    Of an experiment whose baseline is the smallest count: against that, so that it starts at 1 there.
    """
    alike = point.experiment.smallest_baseline  # parameters that follow the ranks are one problem
    same = [other for other in _bases(series, point) if alike or other.problem == point.problem]
    return _against(point, same, point.headline, _none_ran(point))


def absolute_speedup(point: RecordedPoint, sweep: Sequence[RecordedPoint]) -> Ratio:
    """Strong scaling: against the serial point of the same problem and code, a baseline that is named beforehand.

    For a GPU that is simd. By the headline; a streamed point has none of its own, so it stands against the serial one
    by total time.
    """
    code = point.experiment.serial_code(point.run)
    candidates = [
        other
        for other in _of_problem(point, sweep)
        if other.experiment.is_serial(other.run) and other.experiment.yardstick(other.run) == code
    ]
    none_ran = f"no serial run of this problem with {code} is in this sweep"
    return _against(point, candidates, point.comparable_clock, none_ran)


def fastest_speedup(point: RecordedPoint, sweep: Sequence[RecordedPoint]) -> Ratio:
    """Strong scaling: against the fastest one-rank point of the problem, whatever its variant, by the same clock.

    It is chosen for being fast, so that its time lies below what it would take again; absolute speedup's does not.
    """
    none_ran = "no one-rank point of this problem ran in this sweep"
    return _against(point, _of_problem(point, sweep), point.comparable_clock, none_ran)


def _of_problem(point: RecordedPoint, sweep: Sequence[RecordedPoint]) -> list[RecordedPoint]:
    """One-rank points that compute the same and have the clock that it is compared by."""
    return [
        other
        for other in sweep
        if other.run.ranks == _least(point, sweep)
        and other.problem == point.problem
        and (point.streamed or not other.streamed)
    ]


def weak_efficiency(point: RecordedPoint, series: Sequence[RecordedPoint]) -> Ratio:
    """Weak scaling: T1 at the one-rank size over TN, of the same series and variant, by the headline."""
    share = point.size / point.run.ranks
    grown = point.experiment.smallest_baseline  # its plan saw to the sizes
    same = [other for other in _bases(series, point) if grown or other.size == share]
    return _against(point, same, point.headline, _none_ran(point))


def scaled_speedup(point: RecordedPoint, series: Sequence[RecordedPoint]) -> Ratio:
    """Weak scaling: N T1 / TN, the quantity of Gustafson's law."""
    efficiency = weak_efficiency(point, series)
    return efficiency.scaled(point.run.ranks / efficiency.base)


def conflict(points: Iterable[RecordedPoint]) -> str:
    """Why the times of these points may not be compared; empty if they may."""
    boots: dict[str, set[str]] = {}
    digests = set()
    for point in points:
        for launch in point.timed:
            digests.add(launch.run.workload.digest)
            for machine in launch.machines:
                boots.setdefault(machine.node, set()).add(machine.boot_id)
    if len(digests) > 1:
        return "its times come from two versions of the workload"
    rebooted = sorted(node for node, ids in boots.items() if len(ids) > 1)
    return f"its times come from two boots of {', '.join(rebooted)}" if rebooted else ""


def _bases(series: Sequence[RecordedPoint], point: RecordedPoint) -> list[RecordedPoint]:
    same = [other for other in series if other.variant.key == point.variant.key]
    return [other for other in same if other.run.ranks == _least(point, same)]


def _least(point: RecordedPoint, points: Sequence[RecordedPoint]) -> int:
    """The rank count of baselines: 1, or the smallest that is ok."""
    if not point.experiment.smallest_baseline:
        return 1
    counts = [other.run.ranks for other in points if other.counting and other.variant.key == point.variant.key]
    return min(counts, default=1)


def _none_ran(point: RecordedPoint) -> str:
    return f"no one-rank point of this series, {point.experiment.variant_words} ran"


def _against(point: RecordedPoint, candidates: Sequence[RecordedPoint], clock: str, none_ran: str) -> Ratio:
    if point.why_no_speedup:
        return Ratio(None, None, point.why_no_speedup)
    if not candidates:
        return Ratio(None, None, none_ran)
    usable = [other for other in candidates if other.counting]
    if not usable:
        return Ratio(None, None, f"the one-rank point enters none: {candidates[0].why_no_speedup}")
    comparable = [other for other in usable if not conflict((point, other))]
    if not comparable:
        return Ratio(None, None, conflict((point, usable[0])))
    baseline = min(comparable, key=lambda other: other.seconds(clock))
    if baseline is point:
        return Ratio(one(len(point.counting)), baseline, "")
    return Ratio(ratio_of(baseline, point, clock), baseline, "")
