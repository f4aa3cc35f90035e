"""How noisy times are: spread and outliers of a point, drift over the sweep, and what the sweep can resolve.

Outliers are marked but kept, since the median of a launch is robust against them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from results.distributions import student_below
from results.estimates import MIN_LAUNCHES
from results.records.point import RecordedPoint
from results.scaling.power import welch_difference
from results.scaling.variances import pooled, shrunk

FENCE = 1.5  # interquartile ranges beyond the quartiles at which a repeat is marked (Tukey 1977)
DRIFT_PROBABILITY = 0.01  # a drift is reported if it is less probable by chance


@dataclass(frozen=True)
class Outlier:
    """A repeat outside Tukey's fences of its point, in seconds."""

    run_id: str
    repeat: int
    time_s: float


@dataclass(frozen=True)
class TimeSpread:
    """Quartiles of the times of all repeats of a point (seconds), and the outliers."""

    low_s: float
    quartiles_s: tuple[float, float, float]
    high_s: float
    outliers: tuple[Outlier, ...]


@dataclass(frozen=True)
class Drift:
    """Change of log time from the first to the last run of a sweep, and the probability of such a change by chance."""

    change: float
    probability: float

    @property
    def told(self) -> bool:
        return self.probability < DRIFT_PROBABILITY


@dataclass(frozen=True)
class Resolution:
    """The relative difference of a point's time from another's that Welch's test finds in POWER of cases.

    The other point has as many launches and the same noise. `noise`: standard deviation of log time between launches,
    pooled over points; `launches`: a point's median number; `by_point`: in the order of the points that have an
    interval.
    """

    noise: float
    launches: float
    by_point: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.by_point)

    @property
    def worst(self) -> float:
        return max(self.by_point)


def spread(point: RecordedPoint) -> TimeSpread | None:
    """The spread of a point; None if no launch is ok."""
    repeats = [
        (launch.run_id, index, getattr(repeat, point.headline))
        for launch in point.timed
        for index, repeat in enumerate(launch.repeats)
    ]
    if not repeats:
        return None
    times = sorted(time for _, _, time in repeats)
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    below, above = low - FENCE * (high - low), high + FENCE * (high - low)
    outliers = tuple(Outlier(*repeat) for repeat in repeats if not below <= repeat[2] <= above)
    return TimeSpread(times[0], (low, middle, high), times[-1], outliers)


def drift(points: Iterable[RecordedPoint]) -> Drift | None:
    """Regression of log time on the order of the runs, each point about its own mean; None with too few launches."""
    pairs: list[tuple[float, float]] = []
    groups = 0
    for point in points:
        if len(point.counting) < 2:
            continue
        groups += 1
        orders = [float(launch.sequence) for launch in point.counting]
        logs = [math.log(launch.median_s(point.headline)) for launch in point.counting]
        pairs += zip(_centred(orders), _centred(logs), strict=True)
    freedom = len(pairs) - groups - 1
    square = math.fsum(order**2 for order, _ in pairs)
    if freedom < 1 or square == 0.0:
        return None
    slope = math.fsum(order * log for order, log in pairs) / square
    left = math.fsum((log - slope * order) ** 2 for order, log in pairs)
    span = max(order for order, _ in pairs) - min(order for order, _ in pairs)
    if left == 0.0:
        return Drift(slope * span, 1.0 if slope == 0.0 else 0.0)
    statistic = slope / math.sqrt(left / freedom / square)
    return Drift(slope * span, 2.0 * student_below(-abs(statistic), freedom))


def resolution(points: Iterable[RecordedPoint]) -> Resolution | None:
    """Of points with an interval; None where there is none.

    A point's noise is drawn towards that of all points as far as few launches say little of it.
    """
    logs = [
        [math.log(time) for time in point.medians_s()]
        for point in points
        if len(point.counting) >= MIN_LAUNCHES and not point.cores_differ
    ]
    if not logs:
        return None
    variances = [statistics.variance(times) for times in logs]
    degrees = [len(times) - 1 for times in logs]
    drawn = shrunk(variances, degrees)
    found = [
        math.expm1(welch_difference(len(times)) * math.sqrt(variance))
        for times, variance in zip(logs, drawn, strict=True)
    ]
    return Resolution(
        math.sqrt(pooled(variances, degrees)), statistics.median(len(times) for times in logs), tuple(found)
    )


def _centred(values: Sequence[float]) -> Iterator[float]:
    mean = statistics.fmean(values)
    return (value - mean for value in values)
