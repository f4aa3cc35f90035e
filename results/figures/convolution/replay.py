"""Figures of t(N) / t(1) as published, replayed and correct, one per backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from results.audit.paper.published import CLUSTERS
from results.audit.paper.replay import ReplayRow, by_backend
from results.estimates import Estimate
from results.figures.drawing import INK, Drawing, Values, as_files
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title, styled
from results.formats import number, slug
from results.records.sweep import RecordedSeries

Value = Callable[[ReplayRow], Estimate | float | None]


def of_series(series: RecordedSeries) -> list[Drawing]:
    """One figure for each backend with which the series replays the published method. Needs matplotlib."""
    with styled(series.sweep, series.name, "replay"):
        return [_draw(series, rows) for rows in by_backend(series).values()]


@dataclass(frozen=True)
class Curve:
    """One line of the figure."""

    label: str
    value: Value
    index: int


def _lines() -> list[tuple[str, Value]]:
    published: list[tuple[str, Value]] = [
        (f"published, {cluster}", lambda row, cluster=cluster: row.published[cluster])  # type: ignore[misc]
        for cluster in CLUSTERS
    ]
    return [
        *published,
        ("replayed, fat clock", lambda row: row.replayed_fat),
        ("replayed, light clock", lambda row: row.replayed_light),
        ("correct", lambda row: row.correct),
    ]


def _draw(series: RecordedSeries, found: Sequence[ReplayRow]) -> Drawing:
    figure = new_figure()
    axes = figure.add_subplot()
    ranks = [row.ranks for row in found]
    values = Values()
    for index, (label, value) in enumerate(_lines()):
        _line(axes, found, Curve(label, value, index), values)
    # A logarithmic axis has no zero: where a rank convolves nothing, the curve ends.
    axes.plot(
        ranks, [row.work or float("nan") for row in found], "--", color=INK, linewidth=1.2, label="work of a rank"
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(ranks, [str(count) for count in ranks])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.set_xlabel("Ranks")
    axes.set_ylabel("t(N) / t(1)")
    set_title(axes, f"{series.name}: published, replayed and correct")
    figure.legend(loc="outside lower center", ncols=2)
    figure.set_figheight(SIZE_INCHES[1] + 3 * LEGEND_ROW_INCHES)
    title = f"{series.name}: t(N)/t(1) as published, replayed and correct, {found[0].backend}, by ranks"
    return as_files(figure, slug(series.scaling, series.name, found[0].backend, "replay"), title, values)


def _line(axes: Any, found: Sequence[ReplayRow], curve: Curve, values: Values) -> None:
    style = {"color": COLOURS[curve.index], "marker": MARKERS[curve.index], "linestyle": "none", "capsize": 3.0}
    joined = []
    for row in found:
        point = curve.value(row)
        if point is None:
            continue
        y, low, high = (point.value, point.low, point.high) if isinstance(point, Estimate) else (point,) * 3
        joined.append((row.ranks, y))
        drawn = axes.errorbar([row.ranks], [y], yerr=[[max(0.0, y - low)], [max(0.0, high - y)]], **style)
        measured = isinstance(point, Estimate)
        values.add(
            drawn[0],
            f"{curve.label}: N = {row.ranks}: t(N)/t(1) = {number(y, 3)}",
            {"line": curve.label, "ranks": row.ranks, "batch": row.batch, "value": y, "low": low, "high": high}
            | {"run_ids": " ".join(row.run_ids) if measured else ""},
        )
    if joined:
        line = ":" if curve.label.startswith("published") else "-"
        axes.plot(*zip(*joined, strict=True), line, color=style["color"])
        axes.plot([], [], line, color=style["color"], marker=style["marker"], label=curve.label)
