"""Clusters against each other: the best that each did with the same problem, in time, images/s and images per dollar.

Each cluster stands with its fastest configuration by total time, which begins before the load and ends after the
save. These are times of two machines, never a speedup.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.estimates import INTERVAL, Estimate, ratio_estimate
from results.forecast import accuracy
from results.forecast.accuracy import Foretold
from results.formats import plural
from results.records.point import RecordedPoint
from results.records.price import HourlyPrice, price_of
from results.records.sweep import RecordedSweep
from workload.domain.problem import Problem
from workload.record.digest import canonical_json

CLOCK = "total_s"
SECONDS_AN_HOUR = 3600.0
LEAST_LOG = 0.02  # summed log ratios below it are no difference


@dataclass(frozen=True)
class Best:
    """The fastest configuration of one sweep for one problem. `ratio`: its time over that of the fastest sweep."""

    sweep: RecordedSweep
    point: RecordedPoint
    time: Estimate
    ratio: Estimate | None
    price: HourlyPrice | None

    @property
    def images_per_s(self) -> Estimate:
        return self.time.inverse(float(self.point.run.problem.batch))

    @property
    def images_per_money(self) -> Estimate | None:
        """Images for one unit of the price's currency; None where the cluster costs nothing that is known."""
        if self.price is None or self.price.amount_per_hour <= 0.0:
            return None
        return self.images_per_s.scaled(SECONDS_AN_HOUR / self.price.amount_per_hour)


def best(sweeps: Sequence[RecordedSweep]) -> list[Best]:
    """A row a problem and sweep, of the problems that two sweeps or more have a time for, the fastest sweep first."""
    found: list[Best] = []
    for problem in _shared(sweeps):
        rows = [(sweep, point) for sweep in sweeps if (point := _fastest(sweep, problem)) is not None]
        rows.sort(key=lambda row: _seconds(row[1]))
        first = rows[0][1]
        for sweep, point in rows:
            time = point.time(CLOCK)
            ratio = None if point is first else ratio_estimate(point.medians_s(CLOCK), first.medians_s(CLOCK))
            if time is not None:
                found.append(Best(sweep, point, time, ratio, price_of(sweep)))
    return found


def crossings(sweeps: Sequence[RecordedSweep]) -> list[str]:
    """One sentence a pair of sweeps and family of problems (all sizes but the batch): who is faster, and to where."""
    lines = []
    for first, second in itertools.combinations(sweeps, 2):
        families: dict[Problem, list[Problem]] = {}
        for problem in _shared((first, second)):
            families.setdefault(_unit(problem), []).append(problem)
        for problems in families.values():
            if len(problems) > 1:
                lines.append(_crossing(first, second, problems))
    return lines


def explained(sweeps: Sequence[RecordedSweep]) -> list[str]:
    """One sentence a pair of sweeps: how much of the difference in forward time their probes alone foretold.

    Of log(time / time), over the points that both measured and both forecast before: the share that the forecasts'
    own ratio makes up. Nothing of sweeps without a point in common.
    """
    lines = []
    for first, second in itertools.combinations(sweeps, 2):
        pairs = list(_both_foretold(first, second))
        if not pairs:
            if _common(first, second):
                lines.append(
                    f"What part of the difference of {first.name} and {second.name} their probes explain cannot be "
                    "told: no point of both was forecast in both ledgers ('fab probe' goes before 'fab sweep')."
                )
            continue
        measured = math.fsum(math.log(one.measured_s / other.measured_s) for one, other in pairs)
        forecast = math.fsum(math.log(one.forecast_s / other.forecast_s) for one, other in pairs)
        means = [math.exp(total / len(pairs)) for total in (measured, forecast)]
        lines.append(
            f"{first.name} took {means[0]:.3g} times the forward time of {second.name} in the mean of "
            f"{plural(len(pairs), 'point')} that both ran; the probes alone foretold {means[1]:.3g} times"
            f"{_share(measured, forecast)}."
        )
    return lines


def _share(measured: float, forecast: float) -> str:
    if abs(measured) < LEAST_LOG:
        return ": no difference that they could explain"
    if forecast * measured <= 0.0:
        return ", the other way round: they explain none of it"
    return f", {forecast / measured:.0%} of the difference in log time"


def _both_foretold(first: RecordedSweep, second: RecordedSweep) -> Iterator[tuple[Foretold, Foretold]]:
    others = {_same(row.point): row for row in accuracy.of_sweep(second)}
    for row in accuracy.of_sweep(first):
        if (other := others.get(_same(row.point))) is not None:
            yield row, other


def _same(point: RecordedPoint) -> tuple[object, ...]:
    run = point.run
    return (run.problem, run.grid, run.movement, run.backend, canonical_json(dict(run.options)))


def _common(first: RecordedSweep, second: RecordedSweep) -> bool:
    others = {_same(point) for point in second.points if point.counting}
    return any(_same(point) in others for point in first.points if point.counting)


def _crossing(first: RecordedSweep, second: RecordedSweep, problems: Sequence[Problem]) -> str:
    ordered = sorted(problems, key=lambda problem: problem.batch)
    faster = [(problem.batch, _faster(first, second, problem)) for problem in ordered]
    batches = ", ".join(str(batch) for batch, _ in faster)
    told = [(batch, name) for batch, name in faster if name]
    if not told:
        return f"{first.name} and {second.name}: no difference can be claimed at any of B = {batches}."
    changes = list(_changes(told))
    if not changes:
        unsure = [str(batch) for batch, name in faster if not name]
        but = f" (no difference can be claimed at B = {', '.join(unsure)})" if unsure else ""
        return f"{told[0][1]} is faster at every batch where a difference can be claimed, of B = {batches}{but}."
    return " ".join(changes)


def _changes(told: Sequence[tuple[int, str]]) -> Iterator[str]:
    for (low, before), (high, after) in itertools.pairwise(told):
        if before != after:
            yield f"The crossing lies between B = {low}, where {before} is faster, and B = {high}, where {after} is."


def _faster(first: RecordedSweep, second: RecordedSweep, problem: Problem) -> str:
    """The name of the faster sweep; empty where the noise does not tell."""
    one, other = _fastest(first, problem), _fastest(second, problem)
    if one is None or other is None:
        return ""
    ratio = ratio_estimate(one.medians_s(CLOCK), other.medians_s(CLOCK))
    if ratio.bounds != INTERVAL or ratio.low <= 1.0 <= ratio.high:
        return ""
    return first.name if ratio.high < 1.0 else second.name


def _unit(problem: Problem) -> Problem:
    return Problem.from_dict({**problem.as_dict(), "batch": 1})


def _shared(sweeps: Sequence[RecordedSweep]) -> list[Problem]:
    """Problems with a time in two sweeps or more, by batch."""
    counts: dict[Problem, int] = {}
    for sweep in sweeps:
        for problem in {point.run.problem for point in sweep.points if point.counting}:
            counts[problem] = counts.get(problem, 0) + 1
    shared = [problem for problem, count in counts.items() if count > 1]
    return sorted(shared, key=lambda problem: tuple(problem.as_dict().values()))


def _fastest(sweep: RecordedSweep, problem: Problem) -> RecordedPoint | None:
    points = [point for point in sweep.points if point.counting and point.run.problem == problem]
    return min(points, key=_seconds, default=None)


def _seconds(point: RecordedPoint) -> float:
    time = point.time(CLOCK)
    return time.value if time else float("inf")
