"""How many times as fast as the cores a GPU is, over the operations that a problem has for each byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from results.comparison import gpu
from results.comparison.gpu import GpuRow
from results.estimates import Estimate
from results.figures.drawing import INK, Drawing, Values, as_files
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title, styled
from results.formats import estimate
from results.records.sweep import RecordedSweep

LEAST = 2  # problems that make a figure
LINES: tuple[tuple[str, Callable[[GpuRow], Estimate | None]], ...] = (
    ("data on the host", lambda row: row.ratio),
    ("data on the GPU", lambda row: row.resident_ratio),
)


def of_sweep(sweep: RecordedSweep) -> list[Drawing]:
    """One figure, where several problems were timed on cores and with a GPU. Needs matplotlib."""
    rows = [row for row in gpu.rows(sweep) if row.ratio is not None]
    if len(rows) < LEAST:
        return []
    with styled(sweep.name, "gpu"):
        return [_draw(rows)]


def _draw(rows: Sequence[GpuRow]) -> Drawing:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure, values = new_figure(), Values()
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    for index, (words, of) in enumerate(LINES):
        for row in rows:
            _mark(axes, row, of(row), index, values)
        axes.plot([], [], MARKERS[index], color=COLOURS[index], label=words)
    axes.axhline(1.0, color=INK, linewidth=1.0, linestyle="--", label="as fast as the cores")
    axes.set_xlabel("Operations for each byte of x and y")
    axes.set_ylabel("Times the rate of the cores")
    title = "A GPU beside the cores"
    set_title(axes, title)
    _, labels = axes.get_legend_handles_labels()
    figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES * len(labels))
    figure.legend(loc="outside lower center", ncols=1)
    return as_files(figure, "gpu-ratio", title, values)


def _mark(axes: Any, row: GpuRow, ratio: Estimate | None, index: int, values: Values) -> None:
    """One problem with its interval."""
    if ratio is None:
        return
    words = LINES[index][0]
    drawn = axes.errorbar(
        [row.operations_per_byte], [ratio.value], yerr=[[ratio.value - ratio.low], [ratio.high - ratio.value]],
        marker=MARKERS[index], color=COLOURS[index], markersize=6.5, capsize=3.5, linestyle="none", zorder=3,
    )  # fmt: skip
    points = [point for point in (row.cores, row.resident if index else row.gpu) if point is not None]
    values.add(
        drawn[0],
        f"{row.name}, {words}: {estimate(ratio, 3)} times as fast as the cores",
        {
            "data": words, "problem": row.name, "operations_per_byte": row.operations_per_byte, "ratio": ratio.value,
            "ratio_low": ratio.low, "ratio_high": ratio.high, "ratio_bounds": ratio.bounds,
            "run_ids": " ".join(name for point in points for name in point.run_ids),
        },
    )  # fmt: skip
