"""How large a difference has to be for a test to find it in POWER of cases. Pure arithmetic over scipy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from results.distributions import chi2_quantile, f_quantile, noncentral_f_above, normal_below, student_quantile
from results.estimates import CONFIDENCE

POWER = 0.8
NODES = 48  # of the quadrature over each of two variances
LARGEST = 1000.0  # standard deviations: far beyond any sample size that is taken


@cache
def welch_difference(launches: int) -> float:
    """Difference of two means that Welch's test finds, in standard deviations of one launch; both sides alike.

    Averages the power over what the two variances may turn out to be, since the test sees its samples alone. Raises
    ValueError for fewer than two launches.
    """
    if launches < 2:
        raise ValueError(f"{launches} launch a side: Welch's test needs two")
    return _solved(lambda difference: _welch_power(launches, difference))


@cache
def noncentrality(lack_freedom: int, pure_freedom: int, level: float) -> float:
    """Noncentrality of F at which the F test at `level` finds a lack of fit."""
    critical = f_quantile(1.0 - level, lack_freedom, pure_freedom)
    return _solved(lambda value: noncentral_f_above(critical, lack_freedom, pure_freedom, value))


def _welch_power(launches: int, difference: float) -> float:
    import numpy as np

    freedom = launches - 1
    shares = (np.arange(NODES) + 0.5) / NODES
    variances = chi2_quantile(shares, freedom) / freedom / launches
    one, other = variances[:, None], variances[None, :]
    degrees = freedom * (one + other) ** 2 / (one**2 + other**2)
    needed = student_quantile(0.5 + CONFIDENCE / 2.0, degrees) * np.sqrt(one + other)
    error = (2.0 / launches) ** 0.5
    return float(np.mean(normal_below((difference - needed) / error) + normal_below((-needed - difference) / error)))


def _solved(power: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda value: power(value) - POWER, 1e-6, LARGEST, xtol=1e-6))
