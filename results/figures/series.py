"""The figures of a series: time and speedup with the laws (the paper's figures 3 to 6), and phases per rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from results.figures import curves, phases
from results.figures.curves import DrawnLine, Plot
from results.figures.drawing import Drawing, spread_over
from results.figures.style import styled
from results.formats import slug
from results.records.point import RecordedPoint
from results.records.sweep import SIZE, STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.laws import amdahl, gustafson
from results.scaling.speedup import absolute_speedup, relative_speedup, scaled_speedup, weak_efficiency

MOST_POINTS = 64  # of a line
Ideal = tuple[str, Callable[[float], float]]


def of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Drawing]:
    """All figures of a series: scaling, then phases per rank. Needs matplotlib."""
    drawings = []
    with styled(sweep.name, series.name):
        every = _lines(series)
        for plot in _plots(sweep, series):
            # a line keeps its colour and marker in every figure of the series
            lines = {index: line for index, line in enumerate(every) if not (plot.without_serial and line.is_serial)}
            if any(plot.value(point) for line in lines.values() for point in line.points):
                drawings.append(curves.draw(plot, lines))
        for line in every:
            if any(point.timed for point in line.points) and not line.is_serial:
                drawings.append(phases.draw(series, line.points))
    return drawings


def _plots(sweep: RecordedSweep, series: RecordedSeries) -> list[Plot]:
    experiment, clock = series.experiment, series.experiment.headline_word
    time = Plot(
        slug(series.scaling, series.name) + "-time",
        f"{series.name}: {experiment.headline_phrase}",
        experiment.headline_header,
        lambda point: experiment.told(point.time(), point.work),
        log_y=series.scaling != WEAK,
        by_size=series.scaling == SIZE,
    )
    more = {STRONG: _strong, WEAK: _weak}.get(series.scaling)
    return [time, *(more(sweep, series, clock) if more else [])]


def _strong(sweep: RecordedSweep, series: RecordedSeries, clock: str) -> list[Plot]:
    name = slug(series.scaling, series.name)
    base = _base(series)
    ideals = (*_assumed(series, "Amdahl", amdahl), ("linear", lambda n: n / base))
    plots = [
        Plot(
            f"{name}-speedup",
            f"{series.name}: relative speedup",
            f"Relative speedup, T1 / TN ({clock})",
            lambda point: relative_speedup(point, series.points).estimate,
            ideals,
            without_serial=True,  # it has one rank only, where the ratio is 1 by definition
        ),
        Plot(
            f"{name}-absolute-speedup",
            f"{series.name}: absolute speedup",
            "Absolute speedup, serial T1 / TN",
            lambda point: absolute_speedup(point, sweep.points).estimate,
            ideals,
        ),
    ]
    return plots[:1] if series.experiment.smallest_baseline else plots


def _base(series: RecordedSeries) -> int:
    """The rank count at which ideal curves start: 1, or the smallest that is ok."""
    counts = [point.run.ranks for point in series.points if point.counting]
    return min(counts, default=1) if series.experiment.smallest_baseline else 1


def _weak(_sweep: RecordedSweep, series: RecordedSeries, clock: str) -> list[Plot]:
    name = slug(series.scaling, series.name)
    return [
        Plot(
            f"{name}-speedup",
            f"{series.name}: scaled speedup",
            f"Scaled speedup, N T1 / TN ({clock})",
            lambda point: scaled_speedup(point, series.points).estimate,
            (*_assumed(series, "Gustafson", gustafson), ("linear", lambda n: n / _base(series))),
        ),
        Plot(
            f"{name}-efficiency",
            f"{series.name}: weak efficiency",
            f"Weak efficiency, T1 / TN ({clock})",
            lambda point: weak_efficiency(point, series.points).estimate,
            (("ideal", lambda _: 1.0),),
            log_y=False,
        ),
    ]


def _assumed(series: RecordedSeries, name: str, law: Callable[[float, float], float]) -> list[Ideal]:
    """The law at the parallel fraction that the experiment assumes beforehand; empty if it assumes none."""
    fraction = series.experiment.parallel_fraction
    return [] if fraction is None else [(f"{name}, p = {fraction}", lambda n: law(fraction, n))]


def _lines(series: RecordedSeries) -> list[DrawnLine]:
    """The lines of a series, without runs that enter no speedup by design."""
    members: dict[str, list[RecordedPoint]] = {}
    for point in series.points:
        if not point.experiment.why_uncounted(point.run):
            members.setdefault(point.variant.key, []).append(point)
    return [_line(sorted(points, key=lambda point: (point.run.ranks, point.size))) for points in members.values()]


def _line(points: Sequence[RecordedPoint]) -> DrawnLine:
    label, drawn = points[0].variant.label, tuple(spread_over(points, MOST_POINTS))
    told = f"{label} ({len(drawn)} of {len(points)} points)" if len(drawn) < len(points) else label
    return DrawnLine(told, drawn)
