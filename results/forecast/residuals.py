"""Errors of a cluster's earlier forecasts, and the interval that they give the next one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.estimates import CONFIDENCE
from workload.record.schema import SCHEMA_VERSION, SchemaError, check_version

LEAST, LEAST_COUNTS = 5, 2  # points and rank counts needed for an interval
MOST_LOG = 50.0  # logarithm of the largest factor
MOST_SWEEPS = 20  # remembered
Residual = tuple[int, float]  # ranks, log(measured / forecast)


@dataclass(frozen=True)
class Band:
    """The prediction interval of the next measured / forecast, by ranks, at CONFIDENCE, from `count` points.

    log(measured / forecast) = level + slope (x - centre), x = log2(ranks), by least squares. The interval is
    Student's t, and widens with the distance from the measured rank counts.
    """

    count: int
    level: float
    slope: float
    centre: float
    spread: float  # sum of squared distances from the centre
    half: float  # t quantile times the residuals' standard deviation

    def at(self, ranks: int) -> tuple[float, float]:
        """The factors that turn a forecast at that rank count into its interval."""
        away = math.log2(ranks) - self.centre
        middle = self.level + self.slope * away
        half = self.half * math.sqrt(1.0 + 1.0 / self.count + away * away / self.spread)
        return math.exp(max(middle - half, -MOST_LOG)), math.exp(min(middle + half, MOST_LOG))


def band(residuals: Sequence[Residual]) -> Band | None:
    """The band of earlier residuals; None with fewer than LEAST of them, or if all are at one rank count."""
    from scipy.stats import t

    count = len(residuals)
    if count < LEAST or len({ranks for ranks, _ in residuals}) < LEAST_COUNTS:
        return None
    places, values = [math.log2(ranks) for ranks, _ in residuals], [value for _, value in residuals]
    centre, level = statistics.fmean(places), statistics.fmean(values)
    spread = math.fsum((place - centre) ** 2 for place in places)
    slope = math.fsum((place - centre) * value for place, value in zip(places, values, strict=True)) / spread
    left = math.fsum(
        (value - level - slope * (place - centre)) ** 2 for place, value in zip(places, values, strict=True)
    )
    freedom = count - LEAST_COUNTS
    half = float(t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(left / freedom)
    return Band(count, level, slope, centre, spread, half)


def parse(document: Mapping[str, Any], name: str) -> dict[str, list[Residual]]:
    """Residuals by sweep: (ranks, log of measured over forecast time). Raises SchemaError, naming the file."""
    check_version(document, name)
    try:
        return {str(sweep): [_residual(pair) for pair in pairs] for sweep, pairs in document["sweeps"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"{name} does not hold residuals ({error}): remove it, a new sweep makes another") from error


def _residual(pair: Any) -> Residual:
    if not isinstance(pair, list) or len(pair) != 2:  # ranks and a logarithm
        raise ValueError(f"{pair!r} is not a pair of ranks and a logarithm")
    ranks, value = pair
    if isinstance(ranks, bool) or not isinstance(ranks, int) or ranks < 1:
        raise ValueError(f"{ranks!r} is not a rank count")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a logarithm")
    return ranks, float(value)


def document(known: Mapping[str, Sequence[Residual]], sweep: str, residuals: Sequence[Residual]) -> dict[str, Any]:
    """The document kept beside the probe: known residuals and a sweep's own, of the newest MOST_SWEEPS sweeps."""
    every = {name: list(values) for name, values in known.items() if name != sweep} | {sweep: list(residuals)}
    newest = {name: [list(pair) for pair in pairs] for name, pairs in list(every.items())[-MOST_SWEEPS:]}
    return {"schema_version": SCHEMA_VERSION, "kind": "residuals", "sweeps": newest}
