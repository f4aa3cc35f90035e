"""The share of each rank: its part of the problem, its time and memory (the paper's Table 2)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.formats import NONE, mib, number, plural, slug
from results.records.measurement import RankBlock
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from results.table import Column, Table, build, numeric, plain, shown
from results.tables import columns
from workload.domain.grid import AXES, axis_lengths


@dataclass(frozen=True)
class ShareRow:
    """One rank of one point."""

    point: RecordedPoint
    block: RankBlock
    time_s: float | None


def tables(series: RecordedSeries) -> Table:
    """One row per rank. Axes other than the batch have a column if some point of the series cuts them."""
    rows = [row for point in series.points for row in _rows(point)]
    cut = [
        axis
        for axis in AXES[1:]
        if any(
            row.block.spans.get(axis) not in (None, (0, axis_lengths(row.point.convolution.problem)[axis]))
            for row in rows
        )
    ]
    notes = ["Ranges are start:end, the end not included. Time is the median repeat of the rank, load and save in it."]
    notes += [_summary(point) for point in series.points if point.timed]
    name = slug("ranks", series.name)
    return build(f"Shares per rank: {series.name}", _columns(series.points, cut), rows, name=name, notes=notes)


def _rows(point: RecordedPoint) -> list[ShareRow]:
    source = next((launch for launch in point.launches if launch.blocks), None)
    times: dict[int, list[float]] = {}
    for launch in point.timed:
        for repeat in launch.repeats:
            for rank in repeat.ranks:
                times.setdefault(rank.rank, []).append(rank.app_s)
    medians = {rank: statistics.median(values) for rank, values in times.items()}
    return [ShareRow(point, block, medians.get(block.rank)) for block in source.blocks] if source else []


def _columns(points: Sequence[RecordedPoint], cut: list[str]) -> list[Column[ShareRow]]:
    return [
        columns.ranks(),
        *columns.variants(points),
        plain("Rank", "rank", lambda row: row.block.rank),
        _span("batch", "Batch range"),
        plain("Local batch", "local_batch", lambda row: _length(row.block.spans.get("batch"))),
        *(_span(axis, f"{axis.replace('_', ' ').capitalize()} range") for axis in cut),
        plain("Output elements", "output_elements", lambda row: row.block.output_elements),
        numeric("Time (s)", "repeat_s", lambda row: row.time_s),
        shown("Memory (MiB)", "peak_rss_bytes", _peak, mib),
        columns.run_ids(),
    ]


def _span(axis: str, header: str) -> Column[ShareRow]:
    return plain(header, f"{axis}_range", lambda row: _range(row.block.spans.get(axis)))


def _range(span: tuple[int, int] | None) -> str:
    return f"{span[0]}:{span[1]}" if span else NONE


def _length(span: tuple[int, int] | None) -> object:
    return span[1] - span[0] if span else NONE


def _peak(row: ShareRow) -> int | None:
    return row.point.peak_bytes.get(row.block.rank)


def _summary(point: RecordedPoint) -> str:
    longest = max(repeat.total_s for launch in point.timed for repeat in launch.repeats)
    total = sum(point.peak_bytes.values()) or None
    output = point.experiment.shapes(point.run).get("output_shape")
    told = f"output shape {output}, " if output else ""
    return (
        f"{point.variant.label}, {plural(point.run.ranks, 'rank')}: {told}longest total time {number(longest)} s, "
        f"memory of all ranks {mib(total)} MiB."
    )
