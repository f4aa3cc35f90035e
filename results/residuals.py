"""How far the forecasts of a cluster were off before, and the interval that follows for the next one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.statistics import CONFIDENCE
from workload.record import SCHEMA_VERSION, SchemaError, check_version

LEAST = 5  # points before an interval is given
MOST_SWEEPS = 20  # that are remembered


@dataclass(frozen=True)
class Band:
    """A forecast times `low` and times `high` is its interval at CONFIDENCE; `count` points say so."""

    low: float
    high: float
    count: int


def band(log_ratios: Sequence[float]) -> Band | None:
    """The prediction interval of one more log(measured / forecast), by Student's t; None with too few before it."""
    from scipy.stats import t

    count = len(log_ratios)
    if count < LEAST:
        return None
    mean = statistics.fmean(log_ratios)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * statistics.stdev(log_ratios) * math.sqrt(1 + 1 / count)
    return Band(math.exp(mean - half), math.exp(mean + half), count)


def parse(document: Mapping[str, Any], name: str) -> dict[str, list[float]]:
    """Logarithms of measured over forecast time by sweep. Raises SchemaError naming the file where it holds none."""
    check_version(document, name)
    try:
        found = {str(sweep): [float(value) for value in values] for sweep, values in document["sweeps"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"{name} holds no residuals ({error}): remove it, the next sweep makes another") from error
    if not all(math.isfinite(value) for values in found.values() for value in values):
        raise SchemaError(f"{name} holds what is no number: remove it, the next sweep makes another")
    return found


def document(known: Mapping[str, Sequence[float]], sweep: str, log_ratios: Sequence[float]) -> dict[str, Any]:
    """What is kept beside the probe: those known before, and a sweep's; the newest MOST_SWEEPS."""
    every = {name: list(values) for name, values in known.items() if name != sweep} | {sweep: list(log_ratios)}
    newest = dict(list(every.items())[-MOST_SWEEPS:])
    return {"schema_version": SCHEMA_VERSION, "kind": "residuals", "sweeps": newest}
