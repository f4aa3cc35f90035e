"""A forecast as files: the table, and figures of forward time over ranks, dashed far beyond the probe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results.figures.drawing import INK, Drawing, Values, as_files
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title, styled
from results.files import write_whole
from results.forecast.predict import FAR_WORDS, STATED, ForecastRow
from results.formats import number, plural, slug
from results.table import Table, csv_text, markdown

DASHED = (FAR_WORDS, STATED)


def write(rows: Sequence[ForecastRow], table: Table, folder: Path) -> Path:
    """Writes forecast.md and .csv, and for each series a figure (.svg, .png and its values as .csv), each atomically.

    Returns the folder. Raises OSError.
    """
    write_whole(folder / "forecast.md", markdown(table))
    write_whole(folder / "forecast.csv", csv_text(table))
    for series in dict.fromkeys(row.asked.series for row in rows):
        drawing = draw(series, [row for row in rows if row.asked.series == series])
        write_whole(folder / f"{drawing.name}.svg", drawing.svg)
        write_whole(folder / f"{drawing.name}.png", drawing.png)
        write_whole(folder / f"{drawing.name}.csv", drawing.data)
    return folder


def draw(series: str, rows: Sequence[ForecastRow]) -> Drawing:
    """Forward time by ranks, one line per variant, dashed far beyond the probe. Needs matplotlib."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    lines: dict[str, list[ForecastRow]] = {}
    for row in sorted(rows, key=lambda row: row.asked.case.ranks):
        lines.setdefault(row.asked.case.variant.label, []).append(row)
    with styled("forecast", series):
        figure = new_figure()
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        values = Values()
        for index, (label, members) in enumerate(lines.items()):
            _line(axes, label, members, index, values)
        counts = sorted({row.asked.case.ranks for row in rows})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Ranks")
        axes.set_ylabel("Forward time (s)")
        set_title(axes, f"{series}: forecast")
        axes.plot([], [], "--", color=INK, label=f"dashed: {' or '.join(DASHED)}")
        figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES * (len(lines) + 1))
        figure.legend(loc="outside lower center", ncols=1)
        return as_files(figure, f"forecast-{slug(series)}", f"{series}: forecast forward time, by ranks", values)


def _line(axes: Any, label: str, rows: Sequence[ForecastRow], index: int, values: Values) -> None:
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    near = [row for row in rows if row.basis not in DASHED]
    far = [*near[-1:], *(row for row in rows if row.basis in DASHED)]
    for members, style in ((near, "-"), (far, "--")):
        axes.plot(
            [row.asked.case.ranks for row in members],
            [row.found.forward_s for row in members],
            style,
            color=colour,
            linewidth=1.6,
        )
    bounded = [(row.asked.case.ranks, *row.interval_s) for row in rows if row.interval_s is not None]
    if bounded:
        ranks, low, high = zip(*bounded, strict=True)
        axes.fill_between(ranks, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.plot([], [], "-", color=colour, marker=marker, label=label)
    for row in rows:
        ranks_text = plural(row.asked.case.ranks, "rank")
        (artist,) = axes.plot([row.asked.case.ranks], [row.found.forward_s], marker, color=colour, markersize=5)
        low_s, high_s = row.interval_s or (None, None)
        values.add(
            artist,
            f"{label}: {ranks_text}: {number(row.found.forward_s, 3)} s, {row.basis}",
            {
                "line": label, "ranks": row.asked.case.ranks, "forward_s": row.found.forward_s, "low_s": low_s,
                "high_s": high_s, "basis": row.basis, "measured_s": row.measured_s,
            },
        )  # fmt: skip
        if row.measured_s is not None:
            axes.plot([row.asked.case.ranks], [row.measured_s], "x", color=colour, markersize=7, markeredgewidth=2)
