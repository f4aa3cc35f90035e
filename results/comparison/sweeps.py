"""Two sweeps compared point by point: ratios of times, and whether a difference can be claimed.

A difference is claimed if Welch's test in log time finds it at 5 %, after Holm's correction (1979) for the number of
points compared: among many points some differ by chance.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.estimates import CONFIDENCE, INTERVAL, MIN_LAUNCHES, Estimate, ratio_estimate
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep

FASTER, SLOWER, SAME = "faster", "slower", "no difference can be claimed"


@dataclass(frozen=True)
class Pair:
    """The same point in both sweeps. `ratio` is the second time over the first; `probability` is Welch's, corrected."""

    first: RecordedPoint
    second: RecordedPoint
    clock: str
    ratio: Estimate | None
    probability: float | None
    why_not: str

    @property
    def verdict(self) -> str:
        """FASTER or SLOWER (the second sweep), SAME, or why nothing can be said."""
        if self.why_not:
            return f"{SAME}: {self.why_not}"
        if self.ratio is None or self.probability is None or self.probability >= 1.0 - CONFIDENCE:
            return SAME
        return FASTER if self.ratio.value < 1.0 else SLOWER


@dataclass(frozen=True)
class Comparison:
    """All pairs. `alone`: number of points in one sweep only, first and second. `overall`: the pairs' mean ratio."""

    pairs: tuple[Pair, ...]
    alone: tuple[int, int]
    overall: Estimate | None

    @property
    def verdict(self) -> str:
        """The verdict on the mean over all pairs."""
        if self.overall is None or self.overall.low <= 1.0 <= self.overall.high:
            return SAME
        return FASTER if self.overall.value < 1.0 else SLOWER


def of(first: RecordedSweep, second: RecordedSweep) -> Comparison:
    """Compares the points that both sweeps have (see RecordedPoint.identity)."""
    here, there = _by_identity(first), _by_identity(second)
    shared = [key for key in here if key in there]
    drafts = [_draft(here[key], there[key]) for key in shared]
    pairs = tuple(_corrected(drafts))
    return Comparison(pairs, (len(here) - len(shared), len(there) - len(shared)), _overall(pairs))


def _by_identity(sweep: RecordedSweep) -> dict[tuple[object, ...], RecordedPoint]:
    found: dict[tuple[object, ...], RecordedPoint] = {}
    for point in sweep.points:
        found.setdefault(point.identity, point)
    return found


def _draft(first: RecordedPoint, second: RecordedPoint) -> Pair:
    """The pair before its probability is corrected."""
    clock = second.comparable_clock if second.streamed else first.comparable_clock
    for point in (first, second):
        if point.why_no_speedup:
            return Pair(first, second, clock, None, None, point.why_no_speedup)
    ratio = ratio_estimate(second.medians_s(clock), first.medians_s(clock))
    if ratio.bounds != INTERVAL:
        return Pair(first, second, clock, ratio, None, f"fewer than {MIN_LAUNCHES} launches")
    return Pair(first, second, clock, ratio, _welch(first.medians_s(clock), second.medians_s(clock)), "")


def _welch(first: Sequence[float], second: Sequence[float]) -> float:
    from scipy.stats import ttest_ind

    logs = [[math.log(time) for time in times] for times in (first, second)]
    if all(statistics.variance(each) == 0.0 for each in logs):
        return float(statistics.fmean(logs[0]) == statistics.fmean(logs[1]))
    return float(ttest_ind(*logs, equal_var=False).pvalue)


def _corrected(drafts: Sequence[Pair]) -> list[Pair]:
    """Holm: the smallest probability times the number of tests, the next times one less, and so on, never falling."""
    tested = sorted((pair.probability, index) for index, pair in enumerate(drafts) if pair.probability is not None)
    corrected: dict[int, float] = {}
    largest = 0.0
    for place, (probability, index) in enumerate(tested):
        largest = max(largest, min(1.0, probability * (len(tested) - place)))
        corrected[index] = largest
    return [
        Pair(pair.first, pair.second, pair.clock, pair.ratio, corrected.get(index), pair.why_not)
        for index, pair in enumerate(drafts)
    ]


def _overall(pairs: Sequence[Pair]) -> Estimate | None:
    """The geometric mean ratio, with Welch and Satterthwaite's interval over all launches; None without pairs."""
    from scipy.stats import t

    tested = [pair for pair in pairs if pair.probability is not None]
    if not tested:
        return None
    parts, logs = [], []
    for pair in tested:
        sides = [[math.log(time) for time in point.medians_s(pair.clock)] for point in (pair.first, pair.second)]
        logs.append(statistics.fmean(sides[1]) - statistics.fmean(sides[0]))
        parts += [(statistics.variance(side) / len(side), len(side) - 1) for side in sides]
    mean, variance = statistics.fmean(logs), math.fsum(part for part, _ in parts)
    half = 0.0
    if variance > 0.0:
        freedom = 1.0 / math.fsum((part / variance) ** 2 / degrees for part, degrees in parts)
        half = float(t.ppf(0.5 + CONFIDENCE / 2.0, freedom)) * math.sqrt(variance) / len(tested)
    launches = min(len(point.counting) for pair in tested for point in (pair.first, pair.second))
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), INTERVAL, launches)
