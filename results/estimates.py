"""Estimates of a time and of a ratio of two times, from independent launches. Pure arithmetic.

Repeats of one launch share its noise, so every input here is one number per launch: the median of its repeats. Noise
multiplies times, so everything is done in logarithms.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.distributions import student_quantile

CONFIDENCE = 0.95
# The level of intervals where launches were added until they were narrow enough. Launches that happen to lie close
# together end that too early: CONFIDENCE of intervals at this level cover the truth (benchmarks/interval_coverage.py).
AFTER_LOOKS = 0.99
MIN_LAUNCHES = 3  # with fewer, an interval would be too wide to be useful, and the range is given instead
INTERVAL = "interval"
RANGE = "range"
EXACT = "exact"


@dataclass(frozen=True)
class Estimate:
    """A value with its bounds. `bounds` says what kind they are.

    `interval`: a confidence interval over launches, at CONFIDENCE unless said otherwise. `range`: smallest and largest
    over fewer than MIN_LAUNCHES launches, or over launches that no interval describes. `exact`: one by definition (a
    point against itself).
    """

    value: float
    low: float
    high: float
    bounds: str
    launches: int

    @property
    def half_width(self) -> float:
        """The larger distance of a bound from the value, as a share of the value."""
        return max(self.high / self.value - 1.0, 1.0 - self.low / self.value)

    def excludes(self, value: float) -> bool:
        """Whether the value is ruled out: by an interval or by definition, never by a range of a few launches."""
        return self.bounds != RANGE and not self.low <= value <= self.high

    def at_least(self, limit: float) -> bool:
        """Whether the quantity is known to reach the limit; a range of a few launches never says so."""
        return self.bounds != RANGE and self.low >= limit

    def below(self, limit: float) -> bool:
        """Whether the quantity is known to lie below the limit; a range of a few launches never says so."""
        return self.bounds != RANGE and self.high < limit

    def ranged(self, low: float, high: float) -> Estimate:
        """The same value with a range in place of its interval, where an interval would claim too much."""
        return Estimate(self.value, low, high, RANGE, self.launches)

    def scaled(self, factor: float) -> Estimate:
        """The estimate of `factor` (positive, known exactly) times the quantity."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor, self.bounds, self.launches)

    def inverse(self, numerator: float) -> Estimate:
        """The estimate of `numerator` (positive, known exactly) over the quantity: a rate from a time."""
        return Estimate(numerator / self.value, numerator / self.high, numerator / self.low, self.bounds, self.launches)


def time_estimate(medians: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """A point's time: the geometric mean of its launches' medians (seconds), with a t interval over their logarithms.

    Raises:
        ValueError: no launches, or a time that is not positive and finite.
    """
    logs = _logs(medians)
    mean = statistics.fmean(logs)
    if len(logs) < MIN_LAUNCHES:
        return Estimate(math.exp(mean), min(medians), max(medians), RANGE, len(logs))
    half = t_quantile(len(logs) - 1, confidence) * math.sqrt(statistics.variance(logs) / len(logs))
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), INTERVAL, len(logs))


def ratio_estimate(
    numerator: Sequence[float], denominator: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The ratio of two points' times from their launches' medians, with Welch's interval over the logarithms.

    The degrees of freedom are Welch and Satterthwaite's (Welch 1947). If either side has fewer than
    MIN_LAUNCHES launches, the bounds are the range of all ratios of one launch to another.

    Raises:
        ValueError: no launches on a side, or a time that is not positive and finite.
    """
    above, below = _logs(numerator), _logs(denominator)
    mean = statistics.fmean(above) - statistics.fmean(below)
    launches = min(len(above), len(below))
    if launches < MIN_LAUNCHES:
        low, high = min(numerator) / max(denominator), max(numerator) / min(denominator)
        return Estimate(math.exp(mean), low, high, RANGE, launches)
    half = welch_half_width(above, below, confidence)
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), INTERVAL, launches)


def difference_estimate(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """Difference of the means of two independent samples, one number a launch, with Welch's interval.

    For quantities that add, such as shares of a time. Where either side has fewer than MIN_LAUNCHES launches the bounds
    are the range of all differences of one launch to another. Raises ValueError where a side has no launch.
    """
    if not above or not below:
        raise ValueError("no launches: there is no difference to estimate")
    mean = statistics.fmean(above) - statistics.fmean(below)
    launches = min(len(above), len(below))
    if launches < MIN_LAUNCHES:
        return Estimate(mean, min(above) - max(below), max(above) - min(below), RANGE, launches)
    half = welch_half_width(above, below)
    return Estimate(mean, mean - half, mean + half, INTERVAL, launches)


def one(launches: int) -> Estimate:
    """The ratio of a point to itself."""
    return Estimate(1.0, 1.0, 1.0, EXACT, launches)


def welch_half_width(above: Sequence[float], below: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Half the width of Welch's interval of the difference of two means, of two values or more each."""
    variance, freedom = welch(above, below)
    return t_quantile(freedom, confidence) * math.sqrt(variance) if variance else 0.0


def welch(above: Sequence[float], below: Sequence[float]) -> tuple[float, float]:
    """Variance of the difference of two means, of two values or more each, and its degrees of freedom.

    The latter are infinite where the former is 0.
    """
    parts = [(statistics.variance(side) / len(side), len(side) - 1) for side in (above, below)]
    variance = sum(part for part, _ in parts)
    if variance == 0.0:
        return 0.0, math.inf
    # in shares of the variance, since squares of tiny variances would underflow
    return variance, 1.0 / sum((part / variance) ** 2 / degrees for part, degrees in parts)


def t_quantile(degrees_of_freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many standard errors an interval reaches to each side."""
    return float(student_quantile(0.5 + confidence / 2.0, degrees_of_freedom))


def _logs(times: Sequence[float]) -> list[float]:
    if not times:
        raise ValueError("no launches: there is no time to estimate")
    for time in times:
        if not (math.isfinite(time) and time > 0.0):
            raise ValueError(f"a time of {time} s is out of range: a launch's median is positive and finite")
    return [math.log(time) for time in times]
