"""Clusters compared by the best that each did with the same problem: time, rate and work per dollar.

Each cluster is represented by its fastest configuration by total time, load and save included. The times are from
different machines, so their ratio is not a speedup.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.estimates import INTERVAL, Estimate
from results.forecast import accuracy
from results.forecast.accuracy import Foretold
from results.formats import plural
from results.records.point import TOTAL, RecordedPoint, ratio_of
from results.records.price import HourlyPrice, price_of
from results.records.sweep import RecordedSweep

Problem = tuple[object, ...]  # RecordedPoint.problem
SECONDS_AN_HOUR = 3600.0
LEAST_LOG = 0.02  # a smaller sum of log ratios counts as no difference


@dataclass(frozen=True)
class Best:
    """The fastest configuration of one sweep for one problem. `ratio` is its time over that of the fastest sweep."""

    sweep: RecordedSweep
    point: RecordedPoint
    time: Estimate
    ratio: Estimate | None
    price: HourlyPrice | None

    @property
    def work_per_s(self) -> Estimate:
        return self.time.inverse(self.point.work.amount)

    @property
    def work_per_money(self) -> Estimate | None:
        """Units of work for one unit of the price's currency; None if the price is unknown or zero."""
        if self.price is None or self.price.amount_per_hour <= 0.0:
            return None
        return self.work_per_s.scaled(SECONDS_AN_HOUR / self.price.amount_per_hour)


def best(sweeps: Sequence[RecordedSweep]) -> list[Best]:
    """One row per problem and sweep, for problems timed in at least two sweeps; the fastest sweep comes first."""
    found: list[Best] = []
    for problem in _shared(sweeps):
        rows = [(sweep, point) for sweep in sweeps if (point := _fastest(sweep, problem)) is not None]
        rows.sort(key=lambda row: row[1].seconds(TOTAL))
        first = rows[0][1]
        for sweep, point in rows:
            time = point.time(TOTAL)
            ratio = None if point is first else ratio_of(point, first, TOTAL)
            if time is not None:
                found.append(Best(sweep, point, time, ratio, price_of(sweep)))
    return found


def crossings(sweeps: Sequence[RecordedSweep]) -> list[str]:
    """For each pair of sweeps and family of problems that differ in size alone: which is faster, up to which size."""
    lines = []
    for first, second in itertools.combinations(sweeps, 2):
        families: dict[object, dict[int, RecordedPoint]] = {}
        for problem in _shared((first, second)):
            point = next(point for point in first.points if point.problem == problem)
            families.setdefault(point.experiment.family(point.run), {})[point.size] = point
        lines += [_crossing(first, second, list(points.values())) for points in families.values() if len(points) > 1]
    return lines


def explained(sweeps: Sequence[RecordedSweep]) -> list[str]:
    """For each pair of sweeps, a sentence: how much of their difference in forward time the forecasts predicted.

    The share is that of log(forecast / forecast) in log(time / time), over the points that both sweeps measured and had
    forecast before. Sweeps without a common point, and those of what no probe foretells, are skipped.
    """
    lines = []
    for first, second in itertools.combinations([sweep for sweep in sweeps if sweep.experiment.probed], 2):
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
    others = {row.point.identity: row for row in accuracy.of_sweep(second)}
    for row in accuracy.of_sweep(first):
        if (other := others.get(row.point.identity)) is not None:
            yield row, other


def _common(first: RecordedSweep, second: RecordedSweep) -> bool:
    others = {point.identity for point in second.points if point.counting}
    return any(point.identity in others for point in first.points if point.counting)


def _crossing(first: RecordedSweep, second: RecordedSweep, points: Sequence[RecordedPoint]) -> str:
    """`points` has one point for each problem that both sweeps have."""
    ordered = sorted(points, key=lambda point: point.size)
    symbol = ordered[0].experiment.size_symbol
    faster = [(point.size, _faster(first, second, point.problem)) for point in ordered]
    sizes = ", ".join(str(size) for size, _ in faster)
    told = [(size, name) for size, name in faster if name]
    if not told:
        return f"{first.name} and {second.name}: no difference can be claimed at any of {symbol} = {sizes}."
    changes = list(_changes(told, symbol))
    if not changes:
        unsure = [str(size) for size, name in faster if not name]
        but = f" (no difference can be claimed at {symbol} = {', '.join(unsure)})" if unsure else ""
        return (
            f"{told[0][1]} is faster at every {_size_word(ordered[0])} where a difference can be claimed, of "
            f"{symbol} = {sizes}{but}."
        )
    return " ".join(changes)


def _size_word(point: RecordedPoint) -> str:
    return point.experiment.size_key.replace("_", " ")


def _changes(told: Sequence[tuple[int, str]], symbol: str) -> Iterator[str]:
    for (low, before), (high, after) in itertools.pairwise(told):
        if before != after:
            yield (
                f"The crossing lies between {symbol} = {low}, where {before} is faster, and {symbol} = {high}, where "
                f"{after} is."
            )


def _faster(first: RecordedSweep, second: RecordedSweep, problem: Problem) -> str:
    """The name of the faster sweep; empty if the noise hides the difference."""
    one, other = _fastest(first, problem), _fastest(second, problem)
    if one is None or other is None:
        return ""
    ratio = ratio_of(one, other, TOTAL)
    if ratio.bounds != INTERVAL or ratio.low <= 1.0 <= ratio.high:
        return ""
    return first.name if ratio.high < 1.0 else second.name


def _shared(sweeps: Sequence[RecordedSweep]) -> list[Problem]:
    """Problems with a time in two sweeps or more, smallest first."""
    counts = Counter(problem for sweep in sweeps for problem in {p.problem for p in sweep.points if p.counting})
    return sorted(problem for problem, count in counts.items() if count > 1)


def _fastest(sweep: RecordedSweep, problem: Problem) -> RecordedPoint | None:
    points = [point for point in sweep.points if point.counting and point.problem == problem]
    return min(points, key=lambda point: point.seconds(TOTAL), default=None)
