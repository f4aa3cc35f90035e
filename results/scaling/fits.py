"""Fits scaling laws to the times of all launches, in log time. Pure arithmetic with scipy.

Every law is linear in its coefficients c if written for T, the time on n ranks, or for 1 / T:

    Amdahl (strong)      T = c0 + c1 / n                                    p = c1 / (c0 + c1)
    Gustafson (weak)     1 / T = c0 + c1 / n                                p = c0 / (c0 + c1)
    USL (strong)         T = (c0 + c1 (n - 1) + c2 n (n - 1)) / n           contention c1 / c0, coherency c2 / c0
    USL (weak)           T = c0 + c1 (n - 1) + c2 n (n - 1)                 the same of the scaled speedup

(Amdahl 1967; Gustafson 1988; Gunther's Universal Scalability Law, 1993.) Noise multiplies times, so the sum of squares
of log(measured / law) is minimised. Where the noise differs between rank counts, each count weighs by its variance,
drawn towards that of all (results/scaling/variances.py). Intervals of ratios are Fieller's (1954); that of the rank
count of peak throughput, sqrt((1 - contention) / coherency), has no upper bound if the coherency may be zero. A
parameter may lie outside its textbook range, such as a serial fraction below zero, and is reported as it is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results.distributions import f_above
from results.estimates import CONFIDENCE, Estimate
from results.records.sweep import STRONG, WEAK
from results.scaling.power import noncentrality
from results.scaling.ratios import CoefficientRatios
from results.scaling.variances import shrunk, unequal

SPARE = 3  # distinct rank counts that a fit needs in addition to its number of parameters
LACK_OF_FIT = 0.01  # probability below which the points do not follow the law
# Of the degrees of freedom within points, those of an interval whose weights are estimated: three launches leave a
# weight so uncertain that the usual number covers the truth too seldom (benchmarks/interval_coverage.py).
WEIGHTED_FREEDOM = 0.3
TINY = 1e-300
LEAST_SHARE = 1e-4  # of the smallest measured value, below which a fit is far from the data


class NoFitError(ValueError):
    """The law cannot be fitted to these times; the message says why."""


class TooFewPointsError(NoFitError):
    """There are too few distinct rank counts to fit the law; the message says how many are needed."""


@dataclass(frozen=True)
class Law:
    """A law of one kind of scaling: its terms in n, and its parameters as ratios of coefficients (over, under).

    `inverse`: the terms add up to 1 / T rather than T.
    """

    name: str
    scaling: str
    terms: Callable[[float], tuple[float, ...]]
    parameters: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    inverse: bool = False
    has_peak: bool = False

    @property
    def count(self) -> int:
        """Number of fitted parameters, including the one-rank time."""
        return len(self.terms(1.0))


@dataclass(frozen=True)
class Fit:
    """A fitted law. `one_rank_s`: its T1 in seconds; `noise`: the standard deviation of log time about the law.

    `residuals`, by rank count: mean of log(measured / law), so that 0.05 is 5 % slower than the law. `lack_of_fit`: the
    probability of residuals this systematic if the law held (F test against the spread between launches of a point);
    None if no point has two launches. `departure`: the relative departure from the law, at every rank count, that this
    test finds in POWER of cases.
    """

    law: Law
    one_rank_s: Estimate
    parameters: Mapping[str, Estimate]
    residuals: Mapping[int, float]
    noise: float
    lack_of_fit: float | None
    departure: float | None
    launches: int
    coefficients: tuple[float, ...]

    def at(self, ranks: int) -> float:
        """The law's time on so many ranks, which far from the measured counts need not be positive."""
        total = math.fsum(c * term for c, term in zip(self.coefficients, self.law.terms(float(ranks)), strict=True))
        return 1.0 / total if self.law.inverse else total

    @property
    def holds(self) -> bool | None:
        """Whether the points may follow the law; None if that cannot be tested."""
        return None if self.lack_of_fit is None else self.lack_of_fit >= LACK_OF_FIT


AMDAHL = Law("Amdahl", STRONG, lambda n: (1.0, 1.0 / n), {"p": ((0, 1), (1, 1)), "serial fraction": ((1, 0), (1, 1))})
GUSTAFSON = Law(
    "Gustafson",
    WEAK,
    lambda n: (1.0, 1.0 / n),
    {"p": ((1, 0), (1, 1)), "serial fraction": ((0, 1), (1, 1))},
    inverse=True,
)
_USL = {"contention": ((0, 1, 0), (1, 0, 0)), "coherency": ((0, 0, 1), (1, 0, 0))}
USL_STRONG = Law("USL", STRONG, lambda n: (1.0 / n, (n - 1.0) / n, n - 1.0), _USL, has_peak=True)
USL_WEAK = Law("USL", WEAK, lambda n: (1.0, n - 1.0, n * (n - 1.0)), _USL, has_peak=True)
LAWS = (AMDAHL, GUSTAFSON, USL_STRONG, USL_WEAK)
PEAK = "ranks at peak"


def laws_of(scaling: str) -> tuple[Law, ...]:
    return tuple(law for law in LAWS if law.scaling == scaling)


def fit(law: Law, times: Sequence[tuple[int, float]], confidence: float = CONFIDENCE) -> Fit:
    """Fits a law to (ranks, seconds) of every launch; intervals are at `confidence`.

    Raises:
        TooFewPointsError: fewer distinct rank counts than parameters + SPARE.
        NoFitError: the best fit has times that are not positive.
        ValueError: a time or a rank count is not positive and finite.
    """
    _check(law, times)
    weights, within = _weights(times)
    ratios, misses = _least_squares(law, times, weights, within)
    ratios = replace(ratios, confidence=confidence)
    parameters = {name: ratios.interval(over, under) for name, (over, under) in law.parameters.items()}
    if law.has_peak and (peak := ratios.peak()) is not None:
        parameters[PEAK] = peak
    by_count = _by_count(times, misses)
    test = _lack_of_fit(by_count, law.count, weights)
    return Fit(
        law=law,
        one_rank_s=ratios.log_interval(law.terms(1.0), inverse=law.inverse),
        parameters=parameters,
        residuals={ranks: math.fsum(misses) / len(misses) for ranks, misses in by_count.items()},
        noise=math.sqrt(math.fsum(miss * miss for miss in misses) / (len(times) - law.count)),
        lack_of_fit=test.probability if test else None,
        departure=test.departure if test else None,
        launches=len(times),
        coefficients=tuple(ratios.coefficients),
    )


def _weights(times: Sequence[tuple[int, float]]) -> tuple[dict[int, float], int | None]:
    """The weight of each rank count, and the degrees of freedom within counts on which the weights rest.

    All are 1, and rest on nothing, unless every count has two launches and their noise differs beyond chance.
    """
    logs = _by_count(times, [math.log(time) for _, time in times])
    if min(map(len, logs.values())) < 2:
        return dict.fromkeys(logs, 1.0), None
    variances = [statistics.variance(values) for values in logs.values()]
    degrees = [len(values) - 1 for values in logs.values()]
    if not unequal(variances, degrees):
        return dict.fromkeys(logs, 1.0), None
    precisions = [1.0 / variance for variance in shrunk(variances, degrees)]
    scale = len(precisions) / math.fsum(precisions)
    return {ranks: scale * value for ranks, value in zip(logs, precisions, strict=True)}, sum(degrees)


def _least_squares(
    law: Law, times: Sequence[tuple[int, float]], weights: Mapping[int, float], within: int | None
) -> tuple[CoefficientRatios, list[float]]:
    """The coefficients that minimise the squares of log(measured / law), and that logarithm for every launch."""
    import numpy as np
    from scipy import optimize

    matrix = np.array([law.terms(float(n)) for n, _ in times])
    logs = np.log([time for _, time in times])
    roots = np.sqrt([weights[n] for n, _ in times])
    sign = -1.0 if law.inverse else 1.0
    target = np.exp(sign * logs)
    # Relative least squares of the linear form gives a start close to the solution.
    start = np.linalg.lstsq(matrix / target[:, None], np.ones(len(target)), rcond=None)[0]

    def misses(coefficients: Any) -> Any:
        return roots * (logs - sign * np.log(np.maximum(matrix @ coefficients, TINY)))

    def slopes(coefficients: Any) -> Any:
        return roots[:, None] * (-sign * matrix / np.maximum(matrix @ coefficients, TINY)[:, None])

    scale = np.maximum(np.abs(start), 1e-6 * np.max(np.abs(start)))
    found = optimize.least_squares(misses, start, slopes, method="lm", x_scale=scale, xtol=1e-12, ftol=1e-12).x
    if np.min(matrix @ found) <= LEAST_SHARE * np.min(target):
        raise NoFitError(f"{law.name}'s law comes nowhere near these times: they jump up and down with the rank count")
    left, slope = misses(found), slopes(found)
    freedom = len(times) - law.count
    covariance = float(left @ left) / freedom * np.linalg.pinv(slope.T @ slope, rcond=1e-14, hermitian=True)
    if within is not None:
        freedom = max(1, round(WEIGHTED_FREEDOM * within))
    return CoefficientRatios(found.tolist(), covariance.tolist(), freedom, len(times)), (left / roots).tolist()


def _check(law: Law, times: Sequence[tuple[int, float]]) -> None:
    counts = {ranks for ranks, _ in times}
    needed = law.count + SPARE
    if len(counts) < needed:
        raise TooFewPointsError(
            f"{len(counts)} distinct rank counts are too few to fit {law.name}'s law ({law.count} parameters): "
            f"{needed} are needed"
        )
    for ranks, time in times:
        if ranks < 1 or not (math.isfinite(time) and time > 0.0):
            raise ValueError(f"{time} s on {ranks} ranks is not a measurement: both must be positive and finite")


def _by_count(times: Sequence[tuple[int, float]], misses: Sequence[float]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for (ranks, _), miss in zip(times, misses, strict=True):
        found.setdefault(ranks, []).append(miss)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Lack:
    """The F test of a law: the probability of such residuals, and the departure that it finds in POWER of cases."""

    probability: float
    departure: float


def _lack_of_fit(
    by_count: Mapping[int, Sequence[float]], parameters: int, weights: Mapping[int, float]
) -> _Lack | None:
    """F test of the points' means about the law against the spread of launches about those means."""
    means = {ranks: math.fsum(misses) / len(misses) for ranks, misses in by_count.items()}
    pure = math.fsum(weights[n] * (miss - means[n]) ** 2 for n, misses in by_count.items() for miss in misses)
    lack = math.fsum(weights[n] * len(misses) * means[n] ** 2 for n, misses in by_count.items())
    pure_freedom = sum(len(misses) - 1 for misses in by_count.values())
    lack_freedom = len(by_count) - parameters
    if pure_freedom < 1 or pure <= 0.0:
        return None
    probability = f_above((lack / lack_freedom) / (pure / pure_freedom), lack_freedom, pure_freedom)
    total = math.fsum(weights[n] * len(misses) for n, misses in by_count.items())
    needed = noncentrality(lack_freedom, pure_freedom, LACK_OF_FIT)
    return _Lack(probability, math.expm1(math.sqrt(needed * pure / pure_freedom / total)))
