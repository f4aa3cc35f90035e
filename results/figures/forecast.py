"""A forecast as files: the table, and figures of the headline over ranks, dashed far beyond what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.figures.drawing import INK, Drawing, Values, as_files
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title, styled
from results.files import write_whole
from results.forecast import law
from results.forecast.law import LawRow
from results.forecast.predict import FAR_WORDS, STATED, ForecastRow
from results.formats import number, plural, slug
from results.table import Table, csv_text, markdown

DASHED = (FAR_WORDS, STATED, law.FAR_WORDS)


@dataclass(frozen=True)
class ForecastMark:
    """A forecast as it is drawn: on which line of which series, and what was measured there."""

    series: str
    line: str
    ranks: int
    value: float
    interval: tuple[float, float] | None
    basis: str
    measured: float | None


@dataclass(frozen=True)
class ForecastAxis:
    """What is forecast: the axis' label, a value's unit, and the key of values with the unit at its end."""

    label: str
    unit: str
    key: tuple[str, str]


FORWARD = ForecastAxis("Forward time (s)", " s", ("forward", "_s"))


def of_probe(rows: Sequence[ForecastRow]) -> list[ForecastMark]:
    return [
        ForecastMark(
            row.asked.series, row.asked.case.variant.label, row.asked.case.ranks, row.found.forward_s, row.interval_s,
            row.basis, row.measured_s,
        )
        for row in rows
    ]  # fmt: skip


def of_law(rows: Sequence[LawRow]) -> list[ForecastMark]:
    return [
        ForecastMark(
            row.series, row.experiment.variant(row.run).label, row.run.ranks, row.value, row.interval, row.basis,
            row.measured_value.value if row.measured_value else None,
        )
        for row in rows
    ]  # fmt: skip


def write(marks: Sequence[ForecastMark], table: Table, folder: Path, axis: ForecastAxis = FORWARD) -> Path:
    """Writes forecast.md and .csv, and for each series a figure (.svg, .png and its values as .csv), each atomically.

    Returns the folder. Raises OSError.
    """
    write_whole(folder / "forecast.md", markdown(table))
    write_whole(folder / "forecast.csv", csv_text(table))
    for series in dict.fromkeys(mark.series for mark in marks):
        drawing = draw(series, [mark for mark in marks if mark.series == series], axis)
        drawing.write(folder, drawing.name)
    return folder


def draw(series: str, marks: Sequence[ForecastMark], axis: ForecastAxis = FORWARD) -> Drawing:
    """The headline by ranks, one line per variant, dashed far beyond what was measured. Needs matplotlib."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    lines: dict[str, list[ForecastMark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.ranks):
        lines.setdefault(mark.line, []).append(mark)
    with styled("forecast", series):
        figure = new_figure()
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        values = Values()
        for index, (label, members) in enumerate(lines.items()):
            _line(axes, label, members, index, (values, axis))
        counts = sorted({mark.ranks for mark in marks})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Ranks")
        axes.set_ylabel(axis.label)
        set_title(axes, f"{series}: forecast")
        if dashed := [basis for basis in DASHED if any(mark.basis == basis for mark in marks)]:
            axes.plot([], [], "--", color=INK, label=f"dashed: {' or '.join(dashed)}")
        figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES * (len(lines) + 1))
        figure.legend(loc="outside lower center", ncols=1)
        return as_files(figure, f"forecast-{slug(series)}", f"{series}: forecast, by ranks", values)


def _line(axes: Any, label: str, marks: Sequence[ForecastMark], index: int, kept: tuple[Values, ForecastAxis]) -> None:
    (values, axis), (key, unit) = kept, kept[1].key
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    near = [mark for mark in marks if mark.basis not in DASHED]
    far = [*near[-1:], *(mark for mark in marks if mark.basis in DASHED)]
    for members, style in ((near, "-"), (far, "--")):
        axes.plot(
            [mark.ranks for mark in members], [mark.value for mark in members], style, color=colour, linewidth=1.6
        )
    bounded = [(mark.ranks, *mark.interval) for mark in marks if mark.interval is not None]
    if bounded:
        ranks, low, high = zip(*bounded, strict=True)
        axes.fill_between(ranks, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.plot([], [], "-", color=colour, marker=marker, label=label)
    for mark in marks:
        (artist,) = axes.plot([mark.ranks], [mark.value], marker, color=colour, markersize=5)
        low_value, high_value = mark.interval or (None, None)
        values.add(
            artist,
            f"{label}: {plural(mark.ranks, 'rank')}: {number(mark.value, 3)}{axis.unit}, {mark.basis}",
            {
                "line": label, "ranks": mark.ranks, f"{key}{unit}": mark.value, f"low{unit}": low_value,
                f"high{unit}": high_value, "basis": mark.basis, f"measured{unit}": mark.measured,
            },
        )  # fmt: skip
        if mark.measured is not None:
            axes.plot([mark.ranks], [mark.measured], "x", color=colour, markersize=7, markeredgewidth=2)
