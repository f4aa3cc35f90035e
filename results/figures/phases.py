"""Draws the phases of every rank of a line's points as stacked bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.figures.drawing import BAD, INK, Drawing, Values, as_files, spread_over
from results.figures.style import LEGEND_ROW_INCHES, PART_COLOURS, SIZE_INCHES, new_figure, set_title
from results.formats import number, plural, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from workload.record.outcomes import SKIPPED

MAX_BARS = 64  # per point
MAX_POINTS = 24


def draw(series: RecordedSeries, points: Sequence[RecordedPoint]) -> Drawing:
    """Stacked bars of every rank of every point. The serial run of the same code comes first."""
    figure = new_figure()
    axes = figure.add_subplot()
    first = points[0]
    label = first.variant.label
    serial = [point for point in series.points if _is_serial(point) and _code(point) == _code(first)]
    ticks, names, start, values = [], [], 0.0, Values()
    for point in (*serial, *spread_over(points, MAX_POINTS)):
        ranks = list(point.parts_s.values())[:MAX_BARS]
        width = max(1, len(ranks))
        ticks.append(start + (width - 1) / 2)
        names.append(_group_name(point))
        if ranks:
            _bars(axes, start, point, values)
        else:
            colour = INK if point.outcome == SKIPPED else BAD
            axes.plot([ticks[-1]], [0.03], "x", color=colour, transform=axes.get_xaxis_transform(), markeredgewidth=2)
        start += width + 1.0
    axes.set_xticks(ticks, names)
    axes.tick_params(axis="x", length=0, labelsize=9)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("Ranks, a bar each")
    axes.set_ylabel("Time of a repeat (s)")
    set_title(axes, f"{series.name}: phases per rank, {label}")
    _part_legend(figure, first.experiment.parts)
    figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES)
    return as_files(
        figure,
        f"{slug(series.scaling, series.name, *first.variant.names.values())}-phases",
        f"{series.name}: seconds of each phase on every rank, {label}, {plural(len(points), 'point')}",
        values,
    )


def _is_serial(point: RecordedPoint) -> bool:
    return point.experiment.is_serial(point.run)


def _code(point: RecordedPoint) -> str:
    return point.experiment.yardstick(point.run)


def _first_part(point: RecordedPoint) -> dict[str, str]:
    """The part of the variant in which the serial run and a line of the same code differ."""
    return dict(list(point.variant.names.items())[:1])


def _group_name(point: RecordedPoint) -> str:
    count = f"{point.run.ranks}" if point.run.ranks <= MAX_BARS else f"{point.run.ranks}\n(first {MAX_BARS})"
    if _is_serial(point):
        return f"{count}\nserial"
    return count if point.timed else f"{count}\n{point.outcome.replace('_', chr(10))}"


def _bars(axes: Any, start: float, point: RecordedPoint, values: Values) -> None:
    """Draws a stacked bar for each of the point's first MAX_BARS ranks, from `start` on."""
    ranks = list(point.parts_s.items())[:MAX_BARS]
    base = [0.0] * len(ranks)
    for part in point.experiment.parts:
        heights = [parts[part] for _, parts in ranks]
        places = [start + index for index in range(len(ranks))]
        drawn = axes.bar(places, heights, 0.9, bottom=base, color=PART_COLOURS[part], linewidth=0)
        base = [low + height for low, height in zip(base, heights, strict=True)]
        for (rank, parts), bar in zip(ranks, drawn, strict=True):
            text = f"{plural(point.run.ranks, 'rank')}, rank {rank}: {part} {number(parts[part])} s"
            row = {
                "ranks": point.run.ranks,
                point.experiment.size_key: point.experiment.size_cell(point.run),
                **_first_part(point),
            }
            row |= {"rank": rank, "part": part, "seconds": parts[part], "run_ids": " ".join(point.run_ids)}
            values.add(bar, text, row)


def _part_legend(figure: Any, parts: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=PART_COLOURS[part], label=part) for part in parts]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(parts),
        columnspacing=1.0,
        handlelength=0.9,
        handletextpad=0.5,
    )
