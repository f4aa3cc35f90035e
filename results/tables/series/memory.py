"""Peak memory per rank, one row per point: the paper's tables 5, 7, 9 and 11."""

from __future__ import annotations

from results.formats import mib, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from results.table import Column, Table, build, plain, shown
from results.tables import columns

MAX_COLUMNS = 16  # with more ranks, only the smallest and largest of the others are shown


def per_rank(series: RecordedSeries) -> Table:
    """Resident peak of each rank and of all. For many ranks, the share tables have them one by one."""
    ranks = max((point.run.ranks for point in series.points), default=0)
    own = [_rank(rank) for rank in range(ranks)] if ranks <= MAX_COLUMNS else [_rank(0), *_others()]
    found: list[Column[RecordedPoint]] = [
        *columns.place(series.points, columns.itself),
        *own,
        shown("All ranks", "all_ranks_bytes", _total, mib),
        *columns.shapes(series.points, columns.itself, output_shape="Output shape"),
        plain("Outcome", "outcome", lambda point: point.outcome),
        columns.run_ids(columns.itself),
    ]
    notes = [
        f"MiB: resident peak of each rank{series.experiment.peak_since}, the largest over launches; pages that ranks "
        "share are counted in each."
    ]
    name = slug("memory", series.name)
    return build(f"Memory per rank (MiB): {series.name}", found, series.points, name=name, notes=notes)


def _rank(rank: int) -> Column[RecordedPoint]:
    def value(point: RecordedPoint) -> int | None:
        return point.peak_bytes.get(rank)

    return shown(f"Rank {rank}", f"rank_{rank}_bytes", value, mib)


def _others() -> list[Column[RecordedPoint]]:
    def smallest(point: RecordedPoint) -> int | None:
        return min(_workers(point), default=None)

    def largest(point: RecordedPoint) -> int | None:
        return max(_workers(point), default=None)

    return [
        shown("Others, smallest", "others_smallest_bytes", smallest, mib),
        shown("Others, largest", "others_largest_bytes", largest, mib),
    ]


def _workers(point: RecordedPoint) -> list[int]:
    return [peak for rank, peak in point.peak_bytes.items() if rank != 0]


def _total(point: RecordedPoint) -> int | None:
    return sum(point.peak_bytes.values()) or None
