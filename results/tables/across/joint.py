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
    def point(self) -> RecordedPoint:
        return next(iter(self.points.values()))


def side_by_side(sweeps: Sequence[RecordedSweep]) -> Table:
    """The time of every point in every sweep."""
    rows: dict[object, dict[str, RecordedPoint]] = {}
    for sweep in sweeps:
        for point in sweep.points:
            rows.setdefault(point.identity, {}).setdefault(sweep.name, point)
    points = [point for sweep in sweeps for point in sweep.points]
    found: list[Column[JointRow]] = [
        columns.ranks(),
        *(columns.shapes(points, input_shape="Input shape", kernel_size="Kernel") or columns.sizes(points)),
        *columns.variants(points, detailed=True),
        *(_sweep(sweep.name, index) for index, sweep in enumerate(sweeps)),
        hidden("run_ids", lambda row: " ".join(name for point in row.points.values() for name in point.run_ids)),
    ]
    words = " or ".join(dict.fromkeys(sweep.experiment.headline_word for sweep in sweeps))
    notes = [
        f"{words.capitalize()} time in seconds. The sweeps may have run on different machines: no ratio is formed."
    ]
    ordered = sorted((JointRow(points) for points in rows.values()), key=_order)
    return build("Sweeps side by side", found, ordered, name="side-by-side", notes=notes)


def _order(row: JointRow) -> tuple[object, ...]:
    return (row.point.size, row.point.run.ranks, *row.point.variant.names.values())


def _sweep(name: str, index: int) -> Column[JointRow]:
    def show(row: JointRow) -> str:
        point = row.points.get(name)
        if point is None:
            return NONE
        return estimate(point.time()) if point.timed else point.outcome

    def values(row: JointRow) -> Mapping[str, object]:
        point = row.points.get(name)
        outcome = {f"sweep_{index + 1}_outcome": point.outcome if point else None}
        word = row.point.experiment.headline_word
        return {**bounded(f"sweep_{index + 1}_{word}", "_s", point.time() if point else None), **outcome}

    return Column(f"{name} (s)", show, values)
