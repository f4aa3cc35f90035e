"""The same parameters in several sweeps, side by side, without ratios: a speedup needs one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.formats import NONE, estimate
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.table import Column, Table, bounded, build, hidden
from results.tables import columns


@dataclass(frozen=True)
class JointRow:
    """The points of several sweeps that may be compared, by name of the sweep."""

    points: Mapping[str, RecordedPoint]

    @property
    def any(self) -> RecordedPoint:
        return next(iter(self.points.values()))


def side_by_side(sweeps: Sequence[RecordedSweep]) -> Table:
    """The forward time of every point in every sweep."""
    rows: dict[object, dict[str, RecordedPoint]] = {}
    for sweep in sweeps:
        for point in sweep.points:
            rows.setdefault(point.identity, {}).setdefault(sweep.name, point)
    points = [point for sweep in sweeps for point in sweep.points]
    found: list[Column[JointRow]] = [
        columns.ranks(_any),
        *columns.shapes(points, _any, input_shape="Input shape", kernel_size="Kernel"),
        *columns.variants(points, _any, detailed=True),
        *(_sweep(sweep.name, index) for index, sweep in enumerate(sweeps)),
        hidden("run_ids", lambda row: " ".join(name for point in row.points.values() for name in point.run_ids)),
    ]
    notes = ["Forward time in seconds. The sweeps may have run on different machines: no ratio is formed."]
    ordered = sorted((JointRow(points) for points in rows.values()), key=_order)
    return build("Sweeps side by side", found, ordered, name="side-by-side", notes=notes)


def _any(row: JointRow) -> RecordedPoint:
    return row.any


def _order(row: JointRow) -> tuple[object, ...]:
    return (row.any.size, row.any.run.ranks, *row.any.variant.names.values())


def _sweep(name: str, index: int) -> Column[JointRow]:
    def show(row: JointRow) -> str:
        point = row.points.get(name)
        if point is None:
            return NONE
        return estimate(point.time()) if point.timed else point.outcome

    def values(row: JointRow) -> Mapping[str, object]:
        point = row.points.get(name)
        outcome = {f"sweep_{index + 1}_outcome": point.outcome if point else None}
        return {**bounded(f"sweep_{index + 1}_forward", "_s", point.time() if point else None), **outcome}

    return Column(f"{name} (s)", show, values)
