"""What scales, to where, what stops it and what to try next, in sentences: one paragraph a line of a series.

Only an interval carries a verdict: one launch's range has no width, and two launches against two differ by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

from results.estimates import MIN_LAUNCHES, RANGE
from results.formats import estimate, number, plural
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries, RecordedSweep
from results.report.convolution import causes
from results.scaling.line import Line, PointLaws, lines
from results.scaling.noise import resolution
from results.scaling.power import POWER
from results.scaling.reach import ScalingReach, rate_ratio, reach_of

HALF = 0.5  # of the rank count: an efficiency that is called good
COARSE = 0.2  # a smallest difference that hides most of what there is to find
FINER = "First of all free the nodes of other work, then take more launches (--within): both resolve less."
TOO_FEW = f"an interval takes {MIN_LAUNCHES} launches"


def sentences(sweep: RecordedSweep) -> list[str]:
    """A paragraph a line that has points of more than one rank count, and what the sweep can resolve at all."""
    told = [told for series in sweep.series for line in lines(series) if (told := _paragraph(sweep, series, line))]
    return [*told, _resolves(sweep)] if told else []


def _resolves(sweep: RecordedSweep) -> str:
    found = resolution(sweep.points)
    if found is None:
        return (
            f"No point has the {MIN_LAUNCHES} launches that it takes to say which differences this sweep can resolve."
        )
    told = (
        f"Of two points a difference of {100 * found.median:.0f} % is found in {POWER:.0%} of cases (the median point; "
        f"{100 * found.worst:.0f} % for the worst): between launches times vary by {100 * found.noise:.1f} % (one "
        f"standard deviation), and a point has {found.launches:g} of them."
    )
    return told if found.median < COARSE else f"{told} {FINER}"


def _paragraph(sweep: RecordedSweep, series: RecordedSeries, line: Line) -> str:
    reach = reach_of(line)
    if reach is None:
        return ""
    shown = [each for each in line.each() if each.point in line.unshared]
    head = f"{series.scaling.capitalize()} scaling, {line.variant.phrase} ({series.name}):"
    return " ".join([head, _reach(reach), _half(shown), *causes.sentences(sweep, line, reach.last)])


def _reach(reach: ScalingReach) -> str:
    """The count of most throughput, and the smallest count that cannot be told from it."""
    best, alike = reach.best, reach.stop
    told = f"throughput is highest with {_at(best)}"
    if best is reach.last:
        told = f"throughput is highest at the largest count that was measured without sharing a core, {_at(best)}"
    if alike is best:
        return f"{told}{_few(reach)}."
    ratio = estimate(rate_ratio(alike, best), 3)
    return (
        f"{told}; {plural(alike.run.ranks, 'rank')} already {'gives' if alike.run.ranks == 1 else 'give'} "
        f"{number(alike.rate, 3)}, {ratio} times that, and no difference between the two can be claimed"
        f"{_few(reach)}."
    )


def _at(point: RecordedPoint) -> str:
    unit = point.experiment.rate_unit(point.run)
    return f"{number(point.rate, 3)}{unit} at {plural(point.run.ranks, 'rank')}"


def _few(reach: ScalingReach) -> str:
    """That no interval tells the best count from the others, where that is so."""
    if reach.launches >= MIN_LAUNCHES:
        return ""
    return f" ({plural(reach.launches, 'launch')} a point: no difference is certain, {TOO_FEW})"


def _half(shown: Sequence[PointLaws]) -> str:
    known = [(each.point.run.ranks, each.efficiency) for each in shown if each.efficiency and each.point.run.ranks > 1]
    if not known:
        return "There is no one-rank point to take an efficiency from."
    if all(value.bounds == RANGE for _, value in known):
        ranks, value = known[-1]
        return f"Efficiency at {plural(ranks, 'rank')} is {estimate(value, 2)}, which carries no verdict."
    good = [(ranks, value) for ranks, value in known if value.at_least(HALF)]
    unsure = [(ranks, value) for ranks, value in known if not value.at_least(HALF) and not value.below(HALF)]
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
