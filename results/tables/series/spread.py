"""The spread of a point's times: quartiles, outliers, noise between launches."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from results.formats import percent, sentence, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from results.scaling.noise import FENCE, TimeSpread, spread
from results.table import Column, Table, build, hidden, numeric, plain, shown
from results.tables import columns


@dataclass(frozen=True)
class SpreadRow:
    point: RecordedPoint
    spread: TimeSpread


def table(series: RecordedSeries) -> Table:
    """One row for each point that has a time."""
    clock = series.experiment.headline_word
    rows = [SpreadRow(point, each) for point in series.points if (each := spread(point)) is not None]
    found: list[Column[SpreadRow]] = [
        *columns.place(series.points),
        plain("Repeats", "repeats", lambda row: sum(len(launch.repeats) for launch in row.point.timed)),
        _seconds("Shortest (s)", f"{clock}_min_s", lambda found: found.low_s),
        _seconds("Lower quartile (s)", f"{clock}_q1_s", lambda found: found.quartiles_s[0]),
        _seconds("Median (s)", f"{clock}_median_s", lambda found: found.quartiles_s[1]),
        _seconds("Upper quartile (s)", f"{clock}_q3_s", lambda found: found.quartiles_s[2]),
        _seconds("Longest (s)", f"{clock}_max_s", lambda found: found.high_s),
        shown("Between launches (%)", "noise_between_launches", _between, percent),
        plain("Outliers", "outliers", lambda row: len(row.spread.outliers)),
        hidden("outlier_repeats", lambda row: " ".join(f"{o.run_id}/{o.repeat}" for o in row.spread.outliers)),
        columns.run_ids(),
    ]
    notes = [
        f"{sentence(series.experiment.headline_phrase)} of every timed repeat of all launches. Between launches: "
        "standard deviation of their medians.",
        f"Outliers lie more than {FENCE} quartile distances outside the quartiles (Tukey). They are marked, and kept.",
    ]
    return build(f"Spread: {series.name}", found, rows, name=slug("spread", series.name), notes=notes)


def _seconds(header: str, key: str, value: Callable[[TimeSpread], float]) -> Column[SpreadRow]:
    return numeric(header, key, lambda row: value(row.spread))


def _between(row: SpreadRow) -> float | None:
    logs = [math.log(median) for median in row.point.medians_s()]
    return statistics.stdev(logs) if len(logs) > 1 else None
