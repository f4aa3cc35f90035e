"""The same parameters in several sweeps, side by side. No ratio: speedup does not cross machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.formats import NONE, estimate, shape, with_options
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.table import Column, Table, bounded, build, hidden, plain
from workload.record.digest import canonical_json


@dataclass(frozen=True)
class JointRow:
    """One problem, rank count, grid, movement and backend, and its point in each sweep that has one."""

    points: Mapping[str, RecordedPoint]

    @property
    def any(self) -> RecordedPoint:
        return next(iter(self.points.values()))


def side_by_side(sweeps: Sequence[RecordedSweep]) -> Table:
    """Forward time of every point in every sweep."""
    rows: dict[str, dict[str, RecordedPoint]] = {}
    for sweep in sweeps:
        for point in sweep.points:
            rows.setdefault(_same(point), {}).setdefault(sweep.name, point)
    columns: list[Column[JointRow]] = [
        plain("Ranks", "ranks", lambda row: row.any.run.ranks),
        plain("Input shape", "input_shape", lambda row: shape(row.any.run.problem.x_shape)),
        plain("Kernel", "kernel_size", lambda row: row.any.run.problem.kernel_size),
        plain("Movement", "movement", lambda row: with_options(row.any.run.movement, row.any.run.options)),
        plain("Backend", "backend", lambda row: row.any.run.backend),
        *(_sweep(sweep.name, index) for index, sweep in enumerate(sweeps)),
        hidden("run_ids", lambda row: " ".join(name for point in row.points.values() for name in point.run_ids)),
    ]
    notes = ["Forward time in seconds. The sweeps may have run on different machines: no ratio is formed."]
    ordered = sorted((JointRow(points) for points in rows.values()), key=_order)
    return build("Sweeps side by side", columns, ordered, name="side-by-side", notes=notes)


def _order(row: JointRow) -> tuple[int, int, str, str]:
    run = row.any.run
    return (run.problem.batch, run.ranks, run.movement, run.backend)


def _same(point: RecordedPoint) -> str:
    document = point.run.as_dict()
    return canonical_json(
        {key: document[key] for key in ("problem", "ranks", "grid", "movement", "backend", "threads", "options")}
    )


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
