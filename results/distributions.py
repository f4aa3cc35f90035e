"""Student's t, chi-squared, F and the normal distribution, as tails and quantiles.

scipy.stats has the same by these functions of scipy.special, but to import it takes as long as a report.
"""

from __future__ import annotations

from typing import Any


def student_quantile(probability: float, freedom: Any) -> Any:
    """What a t variable lies below with that probability; for arrays of degrees of freedom an array."""
    from scipy.special import stdtrit

    return stdtrit(freedom, probability)


def student_below(value: float, freedom: float) -> float:
    """Probability of a t variable below the value; that of one above it is `student_below(-value, ..)`."""
    from scipy.special import stdtr

    return float(stdtr(freedom, value))


def chi2_above(value: float, freedom: float) -> float:
    """Probability of a chi-squared variable above the value."""
    from scipy.special import chdtrc

    return float(chdtrc(freedom, value))


def chi2_quantile(probabilities: Any, freedom: float) -> Any:
    """What a chi-squared variable lies below with these probabilities."""
    from scipy.special import gammaincinv

    return 2.0 * gammaincinv(freedom / 2.0, probabilities)


def f_above(value: float, above: float, below: float) -> float:
    """Probability of an F variable above the value; degrees of freedom `above` and `below` its fraction's bar."""
    from scipy.special import fdtrc

    return float(fdtrc(above, below, value))


def f_quantile(probability: float, above: float, below: float) -> float:
    """What an F variable lies below with that probability."""
    from scipy.special import fdtri

    return float(fdtri(above, below, probability))


def noncentral_f_above(value: float, above: float, below: float, noncentrality: float) -> float:
    """Probability of a noncentral F variable above the value."""
    from scipy.special import ncfdtr

    return 1.0 - float(ncfdtr(above, below, noncentrality, value))


def normal_below(values: Any) -> Any:
    """Probability of a normal variable below each value; that of one above it is `normal_below(-value)`."""
    from scipy.special import ndtr

    return ndtr(values)
