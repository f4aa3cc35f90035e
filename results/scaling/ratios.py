"""Ratios of linear forms of fitted coefficients, with confidence intervals. Pure arithmetic with scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.estimates import CONFIDENCE, INTERVAL, Estimate, t_quantile


@dataclass(frozen=True)
class CoefficientRatios:
    """Fitted coefficients, their covariance matrix, degrees of freedom, and number of launches.

    A form is a sequence of weights, one for each coefficient. Intervals are at `confidence`.
    """

    coefficients: Sequence[float]
    covariance: Sequence[Sequence[float]]
    freedom: int
    launches: int
    confidence: float = CONFIDENCE

    @property
    def _t(self) -> float:
        return t_quantile(self.freedom, self.confidence)

    def _value(self, form: Sequence[float]) -> float:
        return math.fsum(weight * c for weight, c in zip(form, self.coefficients, strict=True))

    def _covariance(self, one: Sequence[float], other: Sequence[float]) -> float:
        return math.fsum(
            a * row[j] * b for a, row in zip(one, self.covariance, strict=True) for j, b in enumerate(other)
        )

    def interval(self, over: Sequence[float], under: Sequence[float]) -> Estimate:
        """Interval of over / under, by Fieller; without bounds where the denominator may be zero."""
        low, high = self._fieller(over, under)
        return Estimate(self._value(over) / self._value(under), low, high, INTERVAL, self.launches)

    def log_interval(self, form: Sequence[float], *, inverse: bool) -> Estimate:
        """The estimate of a positive form, or of one over it, by the delta method in logarithms."""
        value = self._value(form)
        half = self._t * math.sqrt(max(0.0, self._covariance(form, form))) / value
        low, high = value * math.exp(-half), value * math.exp(half)
        if inverse:
            return Estimate(1.0 / value, 1.0 / high, 1.0 / low, INTERVAL, self.launches)
        return Estimate(value, low, high, INTERVAL, self.launches)

    def peak(self) -> Estimate | None:
        """Interval of sqrt((c0 - c1) / c2); None if the fitted throughput has no peak."""
        over, under = (1.0, -1.0, 0.0), (0.0, 0.0, 1.0)
        above, below = self._value(over), self._value(under)
        if above <= 0.0 or below <= 0.0:
            return None
        low, high = self._fieller(over, under)
        return Estimate(math.sqrt(above / below), math.sqrt(max(0.0, low)), math.sqrt(high), INTERVAL, self.launches)

    def _fieller(self, over: Sequence[float], under: Sequence[float]) -> tuple[float, float]:
        """All ratios r for which over - r under lies within t standard errors of zero (Fieller 1954).

        Where `under` may be zero the ratios are bounded on one side at most.
        """
        above, below = self._value(over), self._value(under)
        square = self._t**2
        a = below**2 - square * self._covariance(under, under)
        b = above * below - square * self._covariance(over, under)
        c = above**2 - square * self._covariance(over, over)
        roots = math.sqrt(max(0.0, b * b - a * c))
        if a > 0.0:
            return (b - roots) / a, (b + roots) / a
        if not a < 0.0 < c:
            return -math.inf, math.inf
        end = (b - roots) / a if above * below > 0.0 else (b + roots) / a
        return (end, math.inf) if above * below > 0.0 else (-math.inf, end)
