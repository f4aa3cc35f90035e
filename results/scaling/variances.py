"""Variances of several samples of few launches each: pooled, or each drawn towards the others. Pure.

Three launches say little of a variance, and much less than thirty of ten points together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from results.distributions import chi2_above

UNEQUAL = 0.3  # probability below which the variances are taken as different: a test of few launches finds little
LEAST = 1e-12  # of a log time: below the resolution of any clock
MOST_PRIOR = 1e4  # degrees of freedom: beyond, the variances are alike


def pooled(variances: Sequence[float], degrees: Sequence[int]) -> float:
    """One variance for all samples, of `degrees` of freedom each."""
    return math.fsum(count * variance for count, variance in zip(degrees, variances, strict=True)) / sum(degrees)


def shrunk(variances: Sequence[float], degrees: Sequence[int]) -> list[float]:
    """Each sample's variance drawn towards that of all, by how much the samples' variances agree (Smyth 2004)."""
    import numpy as np
    from scipy.special import digamma, polygamma

    if len(variances) < 2:
        return [max(variance, LEAST) for variance in variances]
    found, freedom = np.maximum(variances, LEAST), np.asarray(degrees, float)
    logs = np.log(found) - digamma(freedom / 2.0) + np.log(freedom / 2.0)
    excess = float(np.var(logs, ddof=1) - np.mean(polygamma(1, freedom / 2.0)))
    prior = _prior_freedom(excess)
    if math.isinf(prior):
        return [max(pooled(variances, degrees), LEAST)] * len(variances)
    centre = math.exp(float(np.mean(logs) + digamma(prior / 2.0)) - math.log(prior / 2.0))
    drawn = (prior * centre + freedom * found) / (prior + freedom)
    return [float(variance) for variance in drawn]


def unequal(variances: Sequence[float], degrees: Sequence[int]) -> bool:
    """Bartlett's test: whether the samples' variances differ beyond chance."""
    count, total = len(variances), sum(degrees)
    if count < 2:
        return False
    found = [max(variance, LEAST) for variance in variances]
    logs = math.fsum(each * math.log(variance) for each, variance in zip(degrees, found, strict=True))
    correction = 1.0 + (math.fsum(1.0 / each for each in degrees) - 1.0 / total) / (3.0 * (count - 1))
    statistic = (total * math.log(pooled(found, degrees)) - logs) / correction
    return chi2_above(statistic, count - 1) < UNEQUAL


def _prior_freedom(excess: float) -> float:
    """Degrees of freedom d with trigamma(d / 2) = excess; infinite where the variances agree."""
    from scipy.optimize import brentq
    from scipy.special import polygamma

    low, high = 1e-2, MOST_PRIOR
    if excess <= float(polygamma(1, high / 2.0)):
        return math.inf
    if excess >= float(polygamma(1, low / 2.0)):
        return low
    return float(brentq(lambda freedom: float(polygamma(1, freedom / 2.0)) - excess, low, high))
