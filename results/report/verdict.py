"""What scales, how far, what stops it and what to try next: one paragraph per line of a series."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from results.estimates import ratio_estimate
from results.formats import estimate, number, plural
from results.records.kinds import CONVOLUTION
from results.records.measurement import PARTS
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries, RecordedSweep
from results.report.advice import CAUSES, SLOWED, STARVED, step
from results.scaling.line import Line, PointLaws, lines
from results.scaling.noise import resolution

HALF = 0.5  # a share
COARSE = 0.2  # a sweep that resolves no smaller difference hides most effects
FINER = "First of all free the nodes of other work, then take more launches (--launches): both resolve less."
NEARLY = 0.02  # share of the ranks' time below which no cause is named
FORWARD_PARTS = tuple(part for part in PARTS if part not in ("load", "save"))


@dataclass(frozen=True)
class Loss:
    """The cause of a loss, a key of CAUSES, and the loss as a share of the ranks' time."""

    cause: str
    share: float


def sentences(sweep: RecordedSweep) -> list[str]:
    """A paragraph for each line with more than one rank count, then the smallest difference the sweep can resolve."""
    told = [told for series in sweep.series for line in lines(series) if (told := _paragraph(series, line))]
    return [*told, _resolves(sweep)] if told else []


def _resolves(sweep: RecordedSweep) -> str:
    found = resolution(sweep.points)
    if found is None:
        return "No point has launches enough to say which differences this sweep can resolve."
    told = (
        f"The smallest difference that this sweep can resolve is {100 * found.smallest:.1f} %: between launches times "
        f"vary by {100 * found.noise:.1f} % (one standard deviation), and a point has {found.launches:g} of them."
    )
    return told if found.smallest < COARSE else f"{told} {FINER}"


def loss(line: Line, point: RecordedPoint) -> Loss | None:
    """The part on which a point's ranks spend most beyond the one-rank point of its line, for the same work.

    In a weak series the work of N ranks is N times that of one rank. None without a one-rank point.
    """
    one = next((other for other in line.points if other.run.ranks == 1 and other.counting), None)
    time = point.time()
    if one is None or time is None or point is one:
        return None
    scale = point.work.amount / one.work.amount
    before, after = _sums(one), _sums(point)
    grown = {name: after[name] - scale * before[name] for name in FORWARD_PARTS}
    part = max(grown, key=lambda name: grown[name])
    share = grown[part] / (point.run.ranks * time.value)
    if part != "convolve":
        return Loss(part, share)
    processor_s = _convolve_cpu_s(point) - scale * _convolve_cpu_s(one)
    return Loss(SLOWED if processor_s > HALF * grown[part] else STARVED, share)


def _convolve_cpu_s(point: RecordedPoint) -> float:
    """CPU time of convolve, summed over ranks: median over repeats."""
    return statistics.median(
        sum(rank.convolve_cpu_s for rank in repeat.ranks) for launch in point.timed for repeat in launch.repeats
    )


def _sums(point: RecordedPoint) -> dict[str, float]:
    ranks = point.parts_s().values()
    return {part: sum(parts[part] for parts in ranks) for part in FORWARD_PARTS}


def _paragraph(series: RecordedSeries, line: Line) -> str:
    shown = [each for each in line.each() if each.point in line.fitted]
    if len(shown) < 2:
        return ""
    best = max(shown, key=lambda each: each.point.rate)
    last = shown[-1]
    return " ".join(
        [
            f"{series.scaling.capitalize()} scaling, {line.variant.phrase} ({series.name}):",
            _reach(shown, best),
            _half(shown),
            *_stop(line, last),
        ]
    )


def _reach(shown: list[PointLaws], best: PointLaws) -> str:
    """The rank count with the highest throughput, and whether the noise allows to claim a difference from others."""
    first, last = shown[0], shown[-1]
    at = f"{number(best.point.rate, 3)} {best.point.work.unit}/s at {plural(best.point.run.ranks, 'rank')}"
    if best is last:
        told = f"throughput rises to the largest count that was measured without sharing a core, {at}"
        return f"{told}{_unsure(best.point, first.point)}."
    told = f"throughput is highest with {at}, and no higher up to {last.point.run.ranks}"
    return f"{told}{_unsure(best.point, last.point)}."


def _unsure(best: RecordedPoint, other: RecordedPoint) -> str:
    """Says so if no difference can be claimed between the throughputs of two points."""
    share = best.work.amount / other.work.amount
    ratio = ratio_estimate(other.medians_s(), best.medians_s()).scaled(share)
    if not ratio.low <= 1.0 <= ratio.high:
        return ""
    return (
        f", {estimate(ratio, 3)} times the rate at {plural(other.run.ranks, 'rank')}: no difference between the two "
        "can be claimed"
    )


def _half(shown: list[PointLaws]) -> str:
    known = [(each.point.run.ranks, each.efficiency) for each in shown if each.efficiency and each.point.run.ranks > 1]
    if not known:
        return "There is no one-rank point to take an efficiency from."
    good = [(ranks, value) for ranks, value in known if value.low >= HALF]
    unsure = [(ranks, value) for ranks, value in known if value.low < HALF <= value.high]
    told = []
    if good:
        ranks, value = good[-1]
        told.append(f"Efficiency is at least {HALF:.0%} up to {plural(ranks, 'rank')} ({estimate(value, 2)}).")
    elif known[0] not in unsure:
        ranks, value = known[0]
        told.append(f"Efficiency is below {HALF:.0%} from {plural(ranks, 'rank')} on ({estimate(value, 2)}).")
    if unsure:
        ranks, value = unsure[0]
        told.append(
            f"Whether efficiency is above or below {HALF:.0%} at {plural(ranks, 'rank')} cannot be told from the noise "
            f"({estimate(value, 2)})."
        )
    return " ".join(told)


def _stop(line: Line, last: PointLaws) -> list[str]:
    if last.point.experiment is not CONVOLUTION:
        return []  # the causes are phases of the convolution
    found = loss(line, last.point)
    if found is None or found.share < NEARLY:
        return ["Nothing that was measured stops it: go on to more ranks."] if found else []
    told = f"What stops it most at {plural(last.point.run.ranks, 'rank')} is {CAUSES[found.cause]}"
    return [f"{told} ({found.share:.0%} of the ranks' time). Next: {step(found.cause, last.point)}."]
