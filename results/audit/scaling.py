"""Gates on times at several rank counts: no more speedup than ranks, unless the records show a cause. Pure.

Three launches and more can show what cannot be; fewer, or one, make a time suspicious and no more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from results.audit import gates
from results.audit.cache import fits_a_cache, most_gain
from results.audit.gates import MARGIN, Case
from results.distributions import student_below
from results.estimates import CONFIDENCE, MIN_LAUNCHES, Estimate, welch
from results.formats import estimate, number, plural
from results.records.marks import MEMORY_BOUND
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.laws import karp_flatt
from results.scaling.line import lines
from results.scaling.speedup import relative_speedup, weak_efficiency

# With one launch and 10 % of noise an ideal sweep of 8 points is suspicious in 3 % of cases, by 0.1 it were 60 %
FEW_MARGIN = 0.3
FALSE_ALARMS = 0.01  # chance that an ideal sweep of at least MIN_LAUNCHES launches is flagged at any of its points
# Whether a cache explains more speedup than ranks, given a point and its one-rank point; by kind of experiment
CACHE_GATES: dict[str, Callable[[RecordedPoint, RecordedPoint], bool]] = {"convolution": fits_a_cache}


@dataclass(frozen=True)
class Against:
    """A point on several ranks against its one-rank point: T1/TN, and the least share of T1 that honest work takes.

    `cache_gain`: how many times faster a rank may be from its cache.
    """

    series: RecordedSeries
    point: RecordedPoint
    baseline: RecordedPoint
    ratio: Estimate
    share: float
    cache_gain: float = math.inf

    @property
    def where(self) -> str:
        point = self.point
        return f"{self.series.name}: {point.variant.full_label}, {plural(point.run.ranks, 'rank')}, {point.size_text}"

    @property
    def evidence(self) -> tuple[str, ...]:
        return (*self.baseline.run_ids, *self.point.run_ids)

    @property
    def decides(self) -> bool:
        """Whether its launches may show what cannot be."""
        return min(len(self.baseline.counting), len(self.point.counting)) >= MIN_LAUNCHES

    @property
    def cause(self) -> str:
        """What may explain more speedup than ranks, according to the records; empty if nothing does."""
        if self._waited:
            return "the one-rank run waited for pages from disk"
        if not self._fits_a_cache:
            return ""
        fits = "the ranks' parts fit a cache, the one-rank run's input and output do not"
        if math.isinf(self.cache_gain):
            return fits
        return f"{fits}, and by the probe's copies a rank may be {number(self.cache_gain, 3)} times faster so"

    @property
    def gain(self) -> float:
        """How many times faster that may make a rank: 1 without a cause, infinite where nothing bounds it."""
        if self._waited:
            return math.inf
        return self.cache_gain if self._fits_a_cache else 1.0

    @property
    def _waited(self) -> bool:
        return any(MEMORY_BOUND in launch.marks for launch in self.baseline.launches)

    @cached_property
    def _fits_a_cache(self) -> bool:
        fits = CACHE_GATES.get(self.point.run.workload.kind)
        return fits is not None and self.series.scaling == STRONG and fits(self.point, self.baseline)

    def too_fast(self, comparisons: int, gain: float = 1.0) -> bool:
        """Whether it lies below its share beyond the noise, as one of so many comparisons.

        `gain`: how many times faster than its share a rank may be.
        """
        if math.isinf(gain):
            return False
        if not self.decides:
            return self.ratio.inverse(1.0).high < self.share / gain * (1.0 - FEW_MARGIN)
        limit = self.share / gain * (1.0 - MARGIN)
        # launches that were added until they were enough are tested more severely, as intervals are
        level = FALSE_ALARMS * (1.0 - self.point.confidence) / (1.0 - CONFIDENCE)
        return chance(self.point.medians_s(), self.baseline.medians_s(), limit) < level / comparisons


def cases(sweep: RecordedSweep) -> dict[str, list[Case]]:
    """The cases of each gate, a point that a cause explains among those that pass."""
    found: dict[str, list[Case]] = {
        gate: [] for gate in (gates.SHARE, gates.SUPERLINEAR, gates.SERIAL, gates.WEAK_FALLS)
    }
    against = [*comparisons(sweep)]
    for each in against:
        flagged = each.too_fast(len(against), each.gain)
        for gate, words in (_strong if each.series.scaling == STRONG else _weak)(each):
            found[gate].append(Case(each.where, each.evidence, words if flagged else "", each.decides))
    return found


def explained(sweep: RecordedSweep) -> Iterator[str]:
    """One line for each speedup above the rank count that the records explain."""
    against = [*comparisons(sweep)]
    for each in against:
        if each.too_fast(len(against)) and not each.too_fast(len(against), each.gain):
            yield f"{each.where}: speedup {estimate(each.ratio, 3)} is not flagged: {each.cause}."


def comparisons(sweep: RecordedSweep) -> Iterator[Against]:
    """Every point on several ranks that counts and has a one-rank point."""
    for series in sweep.series:
        for line in lines(series):
            for point in line.points:
                if not point.counting:
                    continue
                strong = series.scaling == STRONG
                ratio = (relative_speedup if strong else weak_efficiency)(point, line.points)
                if ratio.baseline is point or ratio.base == point.run.ranks:
                    continue
                if ratio.estimate and ratio.baseline and series.scaling in (STRONG, WEAK):
                    share = ratio.base / point.run.ranks if strong else 1.0
                    gain = most_gain(sweep, point.run.ranks_per_node)
                    yield Against(series, point, ratio.baseline, ratio.estimate, share, gain)


def chance(times: Sequence[float], one_rank: Sequence[float], limit: float) -> float:
    """Chance of times so short if their ratio to the one-rank times were `limit`: Welch's test of the logarithms."""
    logs, ones = [math.log(time_s) for time_s in times], [math.log(time_s * limit) for time_s in one_rank]
    variance, freedom = welch(logs, ones)
    if variance == 0.0:
        return 0.0 if logs[0] < ones[0] else 1.0
    return student_below((statistics.fmean(logs) - statistics.fmean(ones)) / math.sqrt(variance), freedom)


def _strong(each: Against) -> Iterator[tuple[str, str]]:
    ranks, speedup = each.point.run.ranks, estimate(each.ratio, 3)
    yield gates.SHARE, f"T1 / TN = {speedup} leaves less time than 1/{ranks} of T1"
    cause = f"more than the cause in evidence allows: {each.cause}" if each.cause else "no cause in evidence"
    yield gates.SUPERLINEAR, f"speedup {speedup} on {ranks} ranks; {cause}"
    yield gates.SERIAL, f"Karp-Flatt serial fraction {number(karp_flatt(each.ratio.value, ranks), 3)}"


def _weak(each: Against) -> Iterator[tuple[str, str]]:
    words = f"TN / T1 = {estimate(each.ratio.inverse(1.0), 3)} with the same work a rank"
    yield gates.WEAK_FALLS, words
    yield gates.SHARE, words
