"""The figure of several sweeps: work per second of one line each, over ranks."""

from __future__ import annotations

from collections.abc import Sequence

from results.estimates import Estimate
from results.figures import curves
from results.figures.curves import DrawnLine, Plot
from results.figures.drawing import Drawing
from results.figures.style import styled
from results.records.point import RecordedPoint
from results.scaling.line import Line


def of_lines(named: Sequence[tuple[str, Line]]) -> list[Drawing]:
    """The lines by the names of their sweeps; nothing where they do not count the same work. Needs matplotlib."""
    units = {line.points[0].work.unit for _, line in named}
    if len(units) > 1 or not all(line.experiment.rated(line.points[0].run) for _, line in named):
        return []
    header = f"{units.pop().capitalize()} per second"
    plot = Plot("sweeps-rate", f"{header} of each sweep", header, _rate)
    lines = {index: DrawnLine(f"{name}: {line.variant.label}", line.points) for index, (name, line) in enumerate(named)}
    with styled(*(name for name, _ in named)):
        return [curves.draw(plot, lines)]


def _rate(point: RecordedPoint) -> Estimate | None:
    time = point.time()
    return time.inverse(point.work.amount) if time else None
