"""The best intervals: of one who knows the noise between launches, at the same confidence."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from results.estimates import CONFIDENCE, Estimate
from results.scaling.fits import PEAK, Law
from results.scaling.ratios import CoefficientRatios

KNOWN = 10**9  # degrees of freedom of a noise that is known


def normal_width(error: float, confidence: float = CONFIDENCE) -> float:
    """Width of an interval for an estimate with that standard error."""
    return 2.0 * statistics.NormalDist().inv_cdf(0.5 + confidence / 2.0) * error


def of_law(
    law: Law, coefficients: Sequence[float], errors: Mapping[int, float], confidence: float = CONFIDENCE
) -> dict[str, Estimate]:
    """The law's parameters with the intervals of points that lie on it; `errors` are those of their log times by ranks.

    Fieller's, as the fit's own are, but with the covariance that the errors make.
    """
    import numpy as np

    terms = np.array([law.terms(float(ranks)) for ranks in errors])
    slopes = terms / (terms @ np.asarray(coefficients))[:, None] / np.array(list(errors.values()))[:, None]
    covariance = np.linalg.inv(slopes.T @ slopes).tolist()
    ratios = CoefficientRatios(coefficients, covariance, KNOWN, len(errors), confidence)
    found = {name: ratios.interval(over, under) for name, (over, under) in law.parameters.items()}
    peak = ratios.peak() if law.has_peak else None
    return found if peak is None else {**found, PEAK: peak}
