"""Two sides compared point by point, each one sweep or several: ratios of times, and what can be claimed of them.

A difference is claimed if Welch's test in log time finds it at 5 %, after Holm's correction (1979) for the number of
points compared: among many points some differ by chance. Two points are equivalent if two one-sided tests (Schuirmann
1987) find their ratio within a tolerance. With MIN_SWEEPS sweeps on each side a sweep is the unit, for its launches are
off together; with fewer only launches tell, and what is claimed holds between these sweeps alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from results.distributions import student_below
from results.estimates import CONFIDENCE, INTERVAL, MIN_LAUNCHES, RANGE, Estimate, t_quantile
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep

FASTER, SLOWER, SAME, EQUIVALENT = "faster", "slower", "no difference can be claimed", "equivalent"
MIN_SWEEPS = 3  # on each side, for a claim that holds for other sweeps as well
Side = Sequence[RecordedPoint]
Groups = tuple[tuple[float, ...], ...]  # log times: of each sweep its launches, or of each sweep its mean alone


@dataclass(frozen=True)
class LogDifference:
    """Mean log time of the second side less that of the first, its variance, and Satterthwaite's freedom."""

    mean: float
    variance: float
    freedom: float
    launches: int

    def interval(self, confidence: float = CONFIDENCE) -> Estimate:
        """Of the ratio of times."""
        half = t_quantile(self.freedom, confidence) * math.sqrt(self.variance)
        bounds = (math.exp(self.mean - half), math.exp(self.mean + half))
        return Estimate(math.exp(self.mean), *bounds, INTERVAL, self.launches)

    def probability(self) -> float:
        """Of a difference this large by chance."""
        if self.variance == 0.0:
            return float(self.mean == 0.0)
        return 2.0 * student_below(-abs(self.mean) / math.sqrt(self.variance), self.freedom)


@dataclass(frozen=True)
class Pair:
    """The same point on both sides, once a sweep. `ratio` is the second time over the first.

    `probability` is Welch's, corrected; `within`: two one-sided tests find the ratio within the tolerance.
    """

    first: tuple[RecordedPoint, ...]
    second: tuple[RecordedPoint, ...]
    clock: str
    ratio: Estimate | None
    difference: LogDifference | None
    probability: float | None
    why_not: str
    within: bool = False
    confidence: float = CONFIDENCE  # of its ratio's interval; a difference is claimed at the rest

    @property
    def verdict(self) -> str:
        """EQUIVALENT, FASTER or SLOWER (the second side), SAME, or why nothing can be said."""
        if self.why_not:
            return f"{SAME}: {self.why_not}"
        if self.within:
            return EQUIVALENT
        if self.ratio is None or self.probability is None or self.probability >= 1.0 - self.confidence:
            return SAME
        return FASTER if self.ratio.value < 1.0 else SLOWER


@dataclass(frozen=True)
class Comparison:
    """All pairs. `alone`: number of points on one side only, first and second. `overall`: the pairs' mean ratio.

    `in_general`: there are sweeps enough on both sides for claims about other sweeps of the same kind.
    """

    pairs: tuple[Pair, ...]
    alone: tuple[int, int]
    overall: Estimate | None
    in_general: bool
    tolerance: float | None

    @property
    def verdict(self) -> str:
        """The verdict on the mean over all pairs."""
        if self.overall is None or self.overall.low <= 1.0 <= self.overall.high:
            return SAME
        return FASTER if self.overall.value < 1.0 else SLOWER

    @property
    def slower(self) -> bool:
        """Whether a point of the second side is slower."""
        return any(pair.verdict == SLOWER for pair in self.pairs)


def of(first: Sequence[RecordedSweep], second: Sequence[RecordedSweep], tolerance: float | None = None) -> Comparison:
    """Compares the points that all sweeps of both sides have (see RecordedPoint.identity).

    `tolerance`: relative difference, 0.03 is 3 %, within which two points may be called equivalent. Raises ValueError
    for one that is not between 0 and 1.
    """
    if tolerance is not None and not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance {tolerance} is not between 0 and 1")
    here, there = _by_identity(first), _by_identity(second)
    shared = [key for key in here if key in there]
    in_general = min(len(first), len(second)) >= MIN_SWEEPS
    drafts = [_draft(here[key], there[key], in_general=in_general, tolerance=tolerance) for key in shared]
    pairs = tuple(_corrected(drafts))
    alone = (len(here) - len(shared), len(there) - len(shared))
    return Comparison(pairs, alone, _overall(pairs, in_general=in_general), in_general, tolerance)


def _by_identity(sweeps: Sequence[RecordedSweep]) -> dict[tuple[object, ...], tuple[RecordedPoint, ...]]:
    """The points that every sweep of a side has."""
    found: dict[tuple[object, ...], list[RecordedPoint]] = {}
    for sweep in sweeps:
        for identity, point in {point.identity: point for point in reversed(sweep.points)}.items():
            found.setdefault(identity, []).append(point)
    ordered = {point.identity: None for sweep in sweeps for point in sweep.points}
    return {key: tuple(found[key]) for key in ordered if len(found[key]) == len(sweeps)}


def _draft(first: Side, second: Side, *, in_general: bool, tolerance: float | None) -> Pair:
    """The pair before its probability is corrected."""
    every = (*first, *second)
    clock = next((point for point in every if point.streamed), every[0]).comparable_clock
    sides = (tuple(first), tuple(second))
    for point in every:
        if point.why_no_speedup:
            return Pair(*sides, clock, None, None, None, point.why_no_speedup)
    if why := _too_little(every, in_general=in_general):
        return Pair(*sides, clock, _range(first, second, clock), None, None, why)
    difference = _difference(*(_groups(side, clock, in_general=in_general) for side in sides))
    # between sweeps, that launches were added until they were enough spoils nothing
    level = CONFIDENCE if in_general else max(point.confidence for point in every)
    ratio, probability = difference.interval(level), difference.probability()
    within = tolerance is not None and _within(difference, tolerance, level)
    return Pair(*sides, clock, ratio, difference, probability, "", within, level)


def _too_little(points: Sequence[RecordedPoint], *, in_general: bool) -> str:
    if any(point.cores_differ for point in points):
        return "its launches ran on cores of different speed"
    few = not in_general and min(len(point.counting) for point in points) < MIN_LAUNCHES
    return f"fewer than {MIN_LAUNCHES} launches" if few else ""


def _range(first: Side, second: Side, clock: str) -> Estimate:
    """All ratios of one launch to another."""
    below, above = ([time for point in side for time in point.medians_s(clock)] for side in (first, second))
    value = math.exp(statistics.fmean(map(math.log, above)) - statistics.fmean(map(math.log, below)))
    launches = min(len(point.counting) for point in (*first, *second))
    return Estimate(value, min(above) / max(below), max(above) / min(below), RANGE, launches)


def _groups(side: Side, clock: str, *, in_general: bool) -> Groups:
    logs = tuple(tuple(math.log(time) for time in point.medians_s(clock)) for point in side)
    return (tuple(statistics.fmean(sweep) for sweep in logs),) if in_general else logs


def _difference(first: Groups, second: Groups) -> LogDifference:
    """Means of means: of each side, the mean over its groups."""
    means = [statistics.fmean(statistics.fmean(group) for group in side) for side in (first, second)]
    parts = [
        (statistics.variance(group) / len(group) / len(side) ** 2, len(group) - 1)
        for side in (first, second)
        for group in side
    ]
    variance = math.fsum(part for part, _ in parts)
    freedom = float(sum(degrees for _, degrees in parts))
    if variance > 0.0:
        freedom = 1.0 / math.fsum((part / variance) ** 2 / degrees for part, degrees in parts)
    return LogDifference(means[1] - means[0], variance, freedom, min(map(len, (*first, *second))))


def _within(difference: LogDifference, tolerance: float, confidence: float) -> bool:
    """Two one-sided tests at 1 - confidence, which are an interval at twice that."""
    interval = difference.interval(2.0 * confidence - 1.0)
    return 1.0 / (1.0 + tolerance) < interval.low and interval.high < 1.0 + tolerance


def _corrected(drafts: Sequence[Pair]) -> list[Pair]:
    """Holm: the smallest probability times the number of tests, the next times one less, and so on, never falling."""
    tested = sorted((pair.probability, index) for index, pair in enumerate(drafts) if pair.probability is not None)
    corrected: dict[int, float] = {}
    largest = 0.0
    for place, (probability, index) in enumerate(tested):
        largest = max(largest, min(1.0, probability * (len(tested) - place)))
        corrected[index] = largest
    return [replace(pair, probability=corrected.get(index)) for index, pair in enumerate(drafts)]


def _overall(pairs: Sequence[Pair], *, in_general: bool) -> Estimate | None:
    """The geometric mean ratio with its interval; None without pairs.

    In general a sweep's points are off together, so that its mean over the pairs is one observation.
    """
    tested = [pair for pair in pairs if pair.difference is not None]
    if not tested:
        return None
    if in_general:
        return _difference(*(_sweep_means(tested, second=second) for second in (False, True))).interval()
    known = [pair.difference for pair in tested if pair.difference is not None]
    variance = math.fsum(each.variance for each in known)
    freedom = math.fsum(each.freedom for each in known)
    if variance > 0.0:
        freedom = 1.0 / math.fsum((each.variance / variance) ** 2 / each.freedom for each in known)
    mean = statistics.fmean(each.mean for each in known)
    launches = min(each.launches for each in known)
    level = max(pair.confidence for pair in tested)
    return LogDifference(mean, variance / len(known) ** 2, freedom, launches).interval(level)


def _sweep_means(pairs: Sequence[Pair], *, second: bool) -> Groups:
    """Of each sweep of a side, the mean log time over all pairs."""
    columns = [_groups(pair.second if second else pair.first, pair.clock, in_general=True)[0] for pair in pairs]
    return (tuple(statistics.fmean(sweep) for sweep in zip(*columns, strict=True)),)
