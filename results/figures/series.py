"""The report's figures: time and speedup against the laws (the paper's figures 3 to 6), and phases per rank.

A run that is not ok is a marked gap, never a zero. Points that are oversubscribed, share cores or are
suspect are hollow and joined to no line. Error bars are the estimates' bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from results.audit.paper import PARALLEL_FRACTION
from results.estimates import Estimate
from results.figures.drawing import BAD, GRID, INK, Drawing, Values, as_files, row_of, text_of
from results.formats import number, plural, slug
from results.records.launch import OVERSUBSCRIBED, PARTS, REPLICA, SMT, SUSPECT
from results.records.point import RecordedPoint, line_of
from results.records.sweep import SIZE, STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.laws import amdahl, gustafson
from results.scaling.speedup import absolute_speedup, relative_speedup, scaled_speedup, weak_efficiency
from workload.record.outcomes import SKIPPED

COLOURS = ("#2f7ed8", "#e07b1f", "#2d9d63", "#a259c9", "#c2417c", "#0f9aa8", "#8a7a2b", "#6b7785")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
PART_COLOURS = dict(zip(PARTS, ("#8f7fd6", "#e07b1f", "#2f7ed8", "#2d9d63", "#c2417c", "#aab4bf"), strict=True))
APART = frozenset({OVERSUBSCRIBED, SMT, SUSPECT})  # marks that set a point apart from its line
SIZE_INCHES = (5.4, 3.6)  # without the legend
LEGEND_ROW_INCHES = 0.2
TWO_COLUMN_LABEL = 34  # characters
SERIAL = "serial"
MAX_BARS = 64  # ranks of one point that get a bar
RC: dict[Any, Any] = {
    "font.size": 10.5,
    "text.parse_math": False,  # names come from records: a dollar sign is a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Line:
    """One movement and backend of a series."""

    label: str
    points: tuple[RecordedPoint, ...]

    @property
    def movement(self) -> str:
        return self.points[0].run.movement


@dataclass(frozen=True)
class Plot:
    """What one scaling figure shows: `value` of every point, and ideal curves by name over the rank counts."""

    name: str
    title: str
    y_label: str
    value: Callable[[RecordedPoint], Estimate | None]
    ideals: tuple[tuple[str, Callable[[float], float]], ...] = ()
    log_y: bool = True
    by_batch: bool = False
    without: tuple[str, ...] = ()  # movements left out


def styled(*names: str) -> AbstractContextManager[None]:
    """The house's style; the names make a drawing's inner ids its own, and the same every time."""
    import matplotlib as mpl

    context: AbstractContextManager[None] = mpl.rc_context({**RC, "svg.hashsalt": slug(*names)})
    return context


def of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Drawing]:
    """All figures of a series: the scaling figures, then phases per rank. Needs matplotlib."""
    drawings = []
    with styled(sweep.name, series.name):
        every = _lines(series)
        for plot in _plots(sweep, series):
            # a line keeps its colour and marker in every figure of the series
            lines = {index: line for index, line in enumerate(every) if line.movement not in plot.without}
            if any(plot.value(point) for line in lines.values() for point in line.points):
                drawings.append(_draw(plot, lines))
        for line in _lines(series):
            if any(point.timed for point in line.points) and line.movement != SERIAL:
                drawings.append(_phases(series, line))
    return drawings


def _plots(sweep: RecordedSweep, series: RecordedSeries) -> list[Plot]:
    name, title = slug(series.scaling, series.name), f"{series.name}: "
    time = Plot(
        f"{name}-time",
        title + "forward time",
        "Forward time (s)",
        RecordedPoint.time,
        log_y=series.scaling != WEAK,
        by_batch=series.scaling == SIZE,
    )
    if series.scaling == STRONG:
        return [time, *_strong(sweep, series, name, title)]
    return [time, *_weak(series, name, title)] if series.scaling == WEAK else [time]


def _strong(sweep: RecordedSweep, series: RecordedSeries, name: str, title: str) -> list[Plot]:
    law = (f"Amdahl, p = {PARALLEL_FRACTION}", lambda n: amdahl(PARALLEL_FRACTION, n))
    ideals = (law, ("linear", lambda n: n))
    return [
        Plot(
            f"{name}-speedup",
            title + "relative speedup",
            "Relative speedup, T1 / TN (forward)",
            lambda point: relative_speedup(point, series.points).estimate,
            ideals,
            without=(SERIAL,),  # one rank only: one by definition
        ),
        Plot(
            f"{name}-absolute-speedup",
            title + "absolute speedup",
            "Absolute speedup, fastest T1 / TN",
            lambda point: absolute_speedup(point, sweep.points).estimate,
            ideals,
        ),
    ]


def _weak(series: RecordedSeries, name: str, title: str) -> list[Plot]:
    law = (f"Gustafson, p = {PARALLEL_FRACTION}", lambda n: gustafson(PARALLEL_FRACTION, n))
    return [
        Plot(
            f"{name}-speedup",
            title + "scaled speedup",
            "Scaled speedup, N T1 / TN (forward)",
            lambda point: scaled_speedup(point, series.points).estimate,
            (law, ("linear", lambda n: n)),
        ),
        Plot(
            f"{name}-efficiency",
            title + "weak efficiency",
            "Weak efficiency, T1 / TN (forward)",
            lambda point: weak_efficiency(point, series.points).estimate,
            (("ideal", lambda _: 1.0),),
            log_y=False,
        ),
    ]


def _lines(series: RecordedSeries) -> list[Line]:
    """The lines of a series but the replay, which has a figure of its own."""
    members: dict[str, list[RecordedPoint]] = {}
    for point in series.points:
        if point.run.movement != REPLICA:
            members.setdefault(line_of(point.run), []).append(point)
    return [
        Line(f"{points[0].run.movement}, {points[0].run.backend}", tuple(sorted(points, key=_size)))
        for points in members.values()
    ]


def _size(point: RecordedPoint) -> tuple[int, int]:
    return (point.run.ranks, point.run.problem.batch)


def _x(point: RecordedPoint, plot: Plot) -> int:
    return point.run.problem.batch if plot.by_batch else point.run.ranks


def _apart(point: RecordedPoint) -> bool:
    return bool(point.marks & APART)


def _draw(plot: Plot, numbered: Mapping[int, Line]) -> Drawing:
    figure = new_figure()
    axes = figure.add_subplot()
    lines = list(numbered.values())
    shown = sorted({_x(point, plot) for line in lines for point in line.points})
    values = Values()
    _scales(axes, plot, shown)
    for index, line in numbered.items():
        _curve(axes, plot, line, index, values)
    for style, (label, law) in zip(("--", ":"), plot.ideals, strict=False):
        axes.plot(shown, [law(x) for x in shown], style, color=INK, linewidth=1.2, alpha=0.75, label=label, zorder=1)
    if not plot.log_y:
        axes.set_ylim(0.0, max(1.12 * axes.get_ylim()[1], 1.15 if plot.ideals else 0.0))
    _gaps(axes, plot, lines)
    axes.set_title(plot.title, loc="left")
    axes.set_ylabel(plot.y_label)
    marks = {mark for line in lines for point in line.points if point.timed for mark in point.marks & APART}
    _legend(figure, axes, ", ".join(sorted(marks)))
    return as_files(figure, plot.name, f"{plot.title}, by {'batch' if plot.by_batch else 'ranks'}", values)


def new_figure() -> Any:
    """An empty figure of the report's size."""
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE_INCHES, layout="constrained")


def _scales(axes: Any, plot: Plot, shown: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log", base=2)
    axes.set_xticks(shown, [str(x) for x in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(shown[0] / 1.25, shown[-1] * 1.25)
    axes.set_xlabel("Batch (images)" if plot.by_batch else "Ranks")
    if not plot.log_y:
        return
    axes.set_yscale("log", base=2 if plot.ideals else 10)
    axes.yaxis.set_major_locator(LogLocator(base=2) if plot.ideals else LogLocator(base=10, subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _curve(axes: Any, plot: Plot, line: Line, index: int, values: Values) -> None:
    """One line: joined where neighbours are ok, broken at gaps, hollow points on their own."""
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
    """One point with its bounds; returns what the reader hovers over."""
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


def _gaps(axes: Any, plot: Plot, lines: Sequence[Line]) -> None:
    """A cross on the axis and the outcome in words wherever a point has no time."""
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


def _phases(series: RecordedSeries, line: Line) -> Drawing:
    """Stacked bars of every rank of every point of a line; the serial run of its backend stands first."""
    figure = new_figure()
    axes = figure.add_subplot()
    first = line.points[0].run
    serial = [p for p in series.points if p.run.movement == SERIAL and p.run.backend == first.backend]
    ticks, names, start, values = [], [], 0.0, Values()
    for point in (*serial, *line.points):
        ranks = list(point.parts_s().values())[:MAX_BARS]
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
    axes.set_title(f"{series.name}: phases per rank, {line.label}", loc="left")
    _part_legend(figure)
    figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES)
    return as_files(
        figure,
        f"{slug(series.scaling, series.name, first.movement, first.backend)}-phases",
        f"{series.name}: seconds of each phase on every rank, {line.label}, {plural(len(line.points), 'point')}",
        values,
    )


def _group_name(point: RecordedPoint) -> str:
    count = f"{point.run.ranks}" if point.run.ranks <= MAX_BARS else f"{point.run.ranks}\n(first {MAX_BARS})"
    if point.run.movement == SERIAL:
        return f"{count}\nserial"
    return count if point.timed else f"{count}\n{point.outcome.replace('_', chr(10))}"


def _bars(axes: Any, start: float, point: RecordedPoint, values: Values) -> None:
    """A stacked bar for each of the point's first MAX_BARS ranks, from `start` on."""
    ranks = list(point.parts_s().items())[:MAX_BARS]
    base = [0.0] * len(ranks)
    for part in PARTS:
        heights = [parts[part] for _, parts in ranks]
        places = [start + index for index in range(len(ranks))]
        drawn = axes.bar(places, heights, 0.9, bottom=base, color=PART_COLOURS[part], linewidth=0)
        base = [low + height for low, height in zip(base, heights, strict=True)]
        for (rank, parts), bar in zip(ranks, drawn, strict=True):
            text = f"{plural(point.run.ranks, 'rank')}, rank {rank}: {part} {number(parts[part])} s"
            row = {"ranks": point.run.ranks, "batch": point.run.problem.batch, "movement": point.run.movement}
            row |= {"rank": rank, "part": part, "seconds": parts[part], "run_ids": " ".join(point.run_ids)}
            values.add(bar, text, row)


def _part_legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=PART_COLOURS[part], label=part) for part in PARTS]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(PARTS),
        columnspacing=1.0,
        handlelength=0.9,
        handletextpad=0.5,
    )
