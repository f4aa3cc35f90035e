"""Figures of movements and grids side by side: phases, the root's memory against the batch, bytes moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from results.comparison import convolution as movements
from results.comparison.convolution import MovementRow
from results.figures.drawing import Drawing, Values, as_files, spread_over
from results.figures.style import COLOURS, MARKERS, PART_COLOURS, new_figure, styled
from results.formats import MIB, number, plural
from results.records.measurement import PARTS
from results.records.sweep import RecordedSweep

BAR_INCHES = 0.3
MAX_BARS = 40
MAX_POINTS = 64  # of a line


def of_sweep(sweep: RecordedSweep) -> list[Drawing]:
    """The figures that the sweep has data for. Needs matplotlib."""
    if not movements.worth_showing(sweep.points):
        return []
    rows = [row for row in movements.rows(sweep.points) if row.point.timed]
    widest = _widest(rows)
    drawings = []
    with styled(sweep.name, "movements"):
        if len(widest) > 1:
            drawings += [_phases(widest), _moved(widest)]
        if len({row.point.convolution.problem.batch for row in rows}) > 1:
            drawings.append(_root_memory(rows))
    return drawings


def _widest(rows: Sequence[MovementRow]) -> list[MovementRow]:
    """The rows of the rank count and batch at which the most choices can be compared."""
    groups: dict[tuple[int, int], list[MovementRow]] = {}
    for row in rows:
        groups.setdefault((row.point.run.ranks, row.point.convolution.problem.batch), []).append(row)
    if not groups:
        return []
    _, best = max(groups.items(), key=lambda item: (len(item[1]), item[0]))
    return sorted(best, key=_total_s)[:MAX_BARS]


def _total_s(row: MovementRow) -> float:
    total = row.point.time("total_s")
    return total.value if total else 0.0


def _place(rows: Sequence[MovementRow]) -> str:
    run = rows[0].point.convolution
    return f"{plural(run.ranks, 'rank')}, B = {run.problem.batch}"


def _phases(rows: Sequence[MovementRow]) -> Drawing:
    """Stacked bars of each part of a repeat, mean over ranks; the fastest on top."""
    figure, axes = _bar_axes(rows, "Time of a repeat, mean over ranks (s)")
    left, values = [0.0] * len(rows), Values()
    for part in PARTS:
        widths = [row.mean_parts_s()[part] for row in rows]
        drawn = axes.barh(range(len(rows)), widths, 0.8, left=left, color=PART_COLOURS[part], linewidth=0, label=part)
        left = [start + width for start, width in zip(left, widths, strict=True)]
        for row, width, bar in zip(rows, widths, drawn, strict=True):
            values.add(bar, f"{row.label}: {part} {number(width)} s", _row(row, {"part": part, "seconds": width}))
    figure.legend(loc="outside lower center", ncols=len(PARTS), columnspacing=1.0, handlelength=0.9)
    axes.set_title(f"Phases side by side, {_place(rows)}", loc="left")
    return as_files(figure, "movements-phases", f"Seconds of each phase by movement and grid, {_place(rows)}", values)


def _moved(rows: Sequence[MovementRow]) -> Drawing:
    figure, axes = _bar_axes(rows, "Bytes between ranks in a repeat (MiB)")
    widths = [(row.moved_bytes or 0.0) / MIB for row in rows]
    drawn = axes.barh(range(len(rows)), widths, 0.8, color=COLOURS[0], linewidth=0)
    values = Values()
    for place, (row, width, bar) in enumerate(zip(rows, widths, drawn, strict=True)):
        axes.annotate(f" {width:.3g}", (width, place), va="center", fontsize=9)
        values.add(bar, f"{row.label}: {number(width)} MiB", _row(row, {"moved_bytes": row.moved_bytes}))
    axes.margins(x=0.15)
    axes.set_title(f"Bytes moved, {_place(rows)}", loc="left")
    title = f"MiB that cross between ranks by movement and grid, {_place(rows)}"
    return as_files(figure, "movements-bytes", title, values)


def _row(row: MovementRow, values: dict[str, object]) -> dict[str, object]:
    """A row of the figure's data: what was run, the values, and the runs behind them."""
    run = row.point.convolution
    about = {"ranks": run.ranks, "batch": run.problem.batch, "movement": row.movement, "backend": run.backend}
    return {**about, "grid": row.grid, **values, "run_ids": " ".join(row.point.run_ids)}


def _bar_axes(rows: Sequence[MovementRow], label: str) -> tuple[Any, Any]:
    figure = new_figure()
    figure.set_size_inches(7.6, 1.7 + BAR_INCHES * len(rows))
    axes = figure.add_subplot()
    axes.set_yticks(range(len(rows)), _names(rows))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    return figure, axes


def _names(rows: Sequence[MovementRow]) -> list[str]:
    """Labels with only the parts in which the rows differ."""
    parts: list[Callable[[MovementRow], str]] = [
        lambda row: row.movement,
        lambda row: row.point.convolution.backend,
        lambda row: row.grid,
    ]
    telling = [part for part in parts if len({part(row) for row in rows}) > 1] or parts[:1]
    return [", ".join(part(row) for part in telling) for row in rows]


def _root_memory(rows: Sequence[MovementRow]) -> Drawing:
    """The root's measured peak against the batch at the largest rank count, one line per movement."""
    ranks = max(row.point.run.ranks for row in rows)
    lines: dict[str, list[MovementRow]] = {}
    for row in rows:
        if row.point.run.ranks == ranks and row.root_peak_bytes is not None:
            lines.setdefault(f"{row.movement}, {row.point.convolution.backend}", []).append(row)
    figure = new_figure()
    axes = figure.add_subplot()
    values = Values()
    for index, (label, every) in enumerate(lines.items()):
        members = spread_over(every, MAX_POINTS)
        batches = [row.point.convolution.problem.batch for row in members]
        peaks = [(row.root_peak_bytes or 0) / MIB for row in members]
        style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
        axes.plot(batches, peaks, label=label, **style)
        for row, batch, peak in zip(members, batches, peaks, strict=True):
            (mark,) = axes.plot([batch], [peak], linestyle="none", **style)
            text = f"{label}: B = {batch}: {number(peak)} MiB"
            values.add(mark, text, _row(row, {"root_peak_bytes": row.root_peak_bytes}))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Batch (images)")
    axes.set_ylabel("Root's resident peak (MiB)")
    axes.set_title(f"The root's memory, {ranks} ranks", loc="left")
    if lines:
        figure.legend(loc="outside lower center", ncols=1)
    title = f"The root's peak memory against the batch, {ranks} ranks"
    return as_files(figure, "movements-root-memory", title, values)
