"""Errors of a cluster's earlier forecasts, and the interval that they give the next one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.estimates import t_quantile
from workload.record.schema import SCHEMA_VERSION, SchemaError, check_version

LEAST, LEAST_SWEEPS = 5, 3  # points and sweeps needed for an interval
MOST_LOG = 50.0  # logarithm of the largest factor
MOST_SWEEPS = 20  # remembered
Residual = tuple[int, float]  # ranks, log(measured / forecast)


@dataclass(frozen=True)
class Band:
    """The prediction interval of measured / forecast in one more sweep, by ranks, at CONFIDENCE.

    log(measured / forecast) = level + slope (x - centre) + the sweep + the point, x = log2(ranks). Points of one sweep
    are off together, so that a sweep counts as one observation of the level, however many points it has.
    """

    count: int  # points
    sweeps: int
    level: float
    slope: float
    centre: float
    between: float  # variance of a new sweep's level about `level`
    within: float  # variance of a point within its sweep, as far as `between` does not hold it
    slope_variance: float
    half: float  # t quantile

    def at(self, ranks: int) -> tuple[float, float]:
        """The factors that turn a forecast at that rank count into its interval."""
        away = math.log2(ranks) - self.centre
        middle = self.level + self.slope * away
        half = self.half * math.sqrt(self.between + self.within + away * away * self.slope_variance)
        return math.exp(max(middle - half, -MOST_LOG)), math.exp(min(middle + half, MOST_LOG))


def band(sweeps: Sequence[Sequence[Residual]]) -> Band | None:
    """The band of earlier sweeps' residuals; None with fewer than LEAST_SWEEPS or LEAST points.

    None as well if no sweep has two rank counts. The degrees of freedom are Satterthwaite's (1946).
    """
    known = [[(math.log2(ranks), value) for ranks, value in sweep] for sweep in sweeps if sweep]
    count = sum(map(len, known))
    if len(known) < LEAST_SWEEPS or count < LEAST:
        return None
    means = [(statistics.fmean(x for x, _ in sweep), statistics.fmean(y for _, y in sweep)) for sweep in known]
    apart = [(x - mean[0], y - mean[1]) for sweep, mean in zip(known, means, strict=True) for x, y in sweep]
    spread = math.fsum(x * x for x, _ in apart)
    freedom = count - len(known) - 1
    if spread == 0.0 or freedom < 1:
        return None
    centre, slope = (
        statistics.fmean(x for sweep in known for x, _ in sweep),
        math.fsum(x * y for x, y in apart) / spread,
    )
    levels = [y - slope * (x - centre) for x, y in means]
    variance = math.fsum((y - slope * x) ** 2 for x, y in apart) / freedom
    between = statistics.variance(levels) * (1.0 + 1.0 / len(known))
    within = variance * (1.0 - 1.0 / statistics.harmonic_mean(map(len, known)))
    half = t_quantile(_freedom((between, len(known) - 1), (within, freedom)))
    level = statistics.fmean(levels)
    return Band(count, len(known), level, slope, centre, between, within, variance / spread, half)


def _freedom(*parts: tuple[float, int]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, each with its own."""
    total = math.fsum(variance for variance, _ in parts)
    if total == 0.0:
        return float(min(degrees for _, degrees in parts))
    return 1.0 / math.fsum((variance / total) ** 2 / degrees for variance, degrees in parts)


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
