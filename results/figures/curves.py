"""Draws one scaling figure: the lines of a series over rank counts (or sizes), and ideal curves.

A run that is not ok is a marked gap, never a zero. Points that are oversubscribed, share cores or are suspect are
hollow and not joined to a line. Error bars are the estimates' bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.estimates import Estimate
from results.figures.drawing import BAD, INK, Drawing, Values, as_files, row_of, spread_over, text_of
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title
from results.records.marks import OVERSUBSCRIBED, SMT, SUSPECT
from results.records.point import RecordedPoint
from workload.record.outcomes import SKIPPED

APART = frozenset({OVERSUBSCRIBED, SMT, SUSPECT})  # points with these marks are not joined to a line
TWO_COLUMN_LABEL = 34  # characters
MOST_TICKS = 20


@dataclass(frozen=True)
class DrawnLine:
    """The points of one variant."""

    label: str
    points: tuple[RecordedPoint, ...]

    @property
    def is_serial(self) -> bool:
        return self.points[0].experiment.is_serial(self.points[0].run)


@dataclass(frozen=True)
class Plot:
    """What one figure shows: the `value` of every point, and ideal curves by name."""

    name: str
    title: str
    y_label: str
    value: Callable[[RecordedPoint], Estimate | None]
    ideals: tuple[tuple[str, Callable[[float], float]], ...] = ()
    log_y: bool = True
    by_size: bool = False
    without_serial: bool = False


def _x(point: RecordedPoint, plot: Plot) -> int:
    return point.size if plot.by_size else point.run.ranks


def _size_key(lines: Sequence[DrawnLine]) -> str:
    return lines[0].points[0].experiment.size_key


def _size_label(lines: Sequence[DrawnLine]) -> str:
    return f"{_size_key(lines).capitalize()} ({lines[0].points[0].work.unit})"


def _apart(point: RecordedPoint) -> bool:
    return bool(point.marks & APART)


def draw(plot: Plot, numbered: Mapping[int, DrawnLine]) -> Drawing:
    figure = new_figure()
    axes = figure.add_subplot()
    lines = list(numbered.values())
    shown = sorted({_x(point, plot) for line in lines for point in line.points})
    values = Values()
    _scales(axes, plot, shown)
    axes.set_xlabel(_size_label(lines) if plot.by_size else "Ranks")
    for index, line in numbered.items():
        _curve(axes, plot, line, index, values)
    for style, (label, law) in zip(("--", ":"), plot.ideals, strict=False):
        axes.plot(shown, [law(x) for x in shown], style, color=INK, linewidth=1.2, alpha=0.75, label=label, zorder=1)
    if not plot.log_y:
        axes.set_ylim(0.0, max(1.12 * axes.get_ylim()[1], 1.15 if plot.ideals else 0.0))
    _gaps(axes, plot, lines)
    set_title(axes, plot.title)
    axes.set_ylabel(plot.y_label)
    marks = {mark for line in lines for point in line.points if point.timed for mark in point.marks & APART}
    _legend(figure, axes, ", ".join(sorted(marks)))
    return as_files(figure, plot.name, f"{plot.title}, by {_size_key(lines) if plot.by_size else 'ranks'}", values)


def _scales(axes: Any, plot: Plot, shown: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log", base=2)
    ticks = spread_over(shown, MOST_TICKS)
    axes.set_xticks(ticks, [str(x) for x in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(shown[0] / 1.25, shown[-1] * 1.25)
    if not plot.log_y:
        return
    axes.set_yscale("log", base=2 if plot.ideals else 10)
    axes.yaxis.set_major_locator(LogLocator(base=2) if plot.ideals else LogLocator(base=10, subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _curve(axes: Any, plot: Plot, line: DrawnLine, index: int, values: Values) -> None:
    """Draws one line, broken at gaps; hollow points stand alone."""
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    xs, ys = [], []
    for point in line.points:
        estimate = plot.value(point)
        joined = estimate is not None and not _apart(point)
        xs.append(_x(point, plot))
        ys.append(estimate.value if estimate and joined else float("nan"))
        if estimate is not None:
            face = colour if joined else "none"
            artist = _marker(axes, xs[-1], estimate, {"color": colour, "marker": marker, "markerfacecolor": face})
            values.add(artist, text_of(line.label, point, estimate), row_of(line.label, point, estimate))
        else:
            values.add(None, "", row_of(line.label, point, None))
    axes.plot(xs, ys, "-", color=colour, linewidth=1.6, zorder=2)
    axes.plot([], [], "-", color=colour, marker=marker, label=line.label)


def _marker(axes: Any, x: int, estimate: Estimate, style: dict[str, Any]) -> Any:
    """Draws a point with its bounds and returns the artist that the reader hovers over."""
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    drawn = axes.errorbar(
        [x],
        [estimate.value],
        yerr=[[max(0.0, below)], [max(0.0, above)]] if above > 0.0 else None,
        markersize=6.5,
        markeredgewidth=1.5,
        capsize=3.5,
        linestyle="none",
        zorder=3,
        **style,
    )
    return drawn[0]


def _gaps(axes: Any, plot: Plot, lines: Sequence[DrawnLine]) -> None:
    """Marks points without a time by a cross on the axis and their outcome."""
    missing: dict[int, list[str]] = {}
    for line in lines:
        for point in line.points:
            if not point.timed:
                missing.setdefault(_x(point, plot), []).append(point.outcome)
    place = axes.get_xaxis_transform()
    for x, outcomes in missing.items():
        colour = INK if set(outcomes) == {SKIPPED} else BAD
        axes.axvline(x, color=colour, linewidth=0.8, linestyle=(0, (1, 3)), alpha=0.6, zorder=0)
        axes.plot([x], [0.03], "x", color=colour, transform=place, markersize=7, markeredgewidth=2, zorder=4)
        text = ", ".join(dict.fromkeys(outcome.replace("_", " ") for outcome in outcomes))
        axes.annotate(
            text, (x, 0.03), xycoords=place, xytext=(-5, 9), textcoords="offset points", color=colour, rotation=90,
            ha="right", va="bottom", fontsize=9,
        )  # fmt: skip


def _legend(figure: Any, axes: Any, hollow: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if hollow:
        (mark,) = axes.plot([], [], "o", color=INK, markerfacecolor="none", linestyle="none")
        handles, labels = [*handles, mark], [*labels, f"hollow: {hollow}"]
    columns = 2 if max(map(len, labels)) <= TWO_COLUMN_LABEL else 1
    figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES * math.ceil(len(labels) / columns))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.2, handlelength=1.6)
