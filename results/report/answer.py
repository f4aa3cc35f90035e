"""The answer of a report: one sentence, and the three numbers that it rests on, each with its interval.

They are the best rate, the rank count at which it stops growing, and what costs most of the ranks' time. They are
those of one line: of the strong series before the weak ones, that of most work per second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.comparison import clusters
from results.estimates import MIN_LAUNCHES
from results.formats import estimate, number, plural, sentence, share, slug
from results.records.marks import OVERSUBSCRIBED
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.report.convolution.causes import Stop, stop_of
from results.scaling.line import Line, lines
from results.scaling.reach import ScalingReach, rate_ratio, reach_of
from results.scaling.speedup import absolute_speedup, relative_speedup, weak_efficiency

NOTHING = "No run is ok: there is nothing to say."


@dataclass(frozen=True)
class Fact:
    """A number with its interval, and what it is about."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class ReportAnswer:
    """`drawings` are the names of figures that show it, the best one first."""

    sentence: str
    facts: tuple[Fact, ...] = ()
    drawings: tuple[str, ...] = ()


def of_sweep(sweep: RecordedSweep) -> ReportAnswer:
    """What a sweep answers; what one rank count does where there is no scaling to measure."""
    found = headline(sweep)
    if found is None:
        return _without_scaling(sweep)
    series, line, reach = found
    stop = stop_of(line, reach.last)
    facts = (_best_fact(reach.best), _reach_fact(reach), _stop_fact(reach, stop))
    name = slug(series.scaling, series.name)
    drawings = tuple(f"{name}-{figure}" for figure in ("absolute-speedup", "speedup", "time"))
    return ReportAnswer(_sentence(sweep, line, reach, stop), facts, drawings)


def of_all(sweeps: Sequence[RecordedSweep]) -> ReportAnswer:
    """What several sweeps answer together, with the numbers of each."""
    facts = [_fact_of_sweep(sweep.name, of_sweep(sweep).facts) for sweep in sweeps]
    return ReportAnswer(_versus(sweeps), tuple(facts))


def _fact_of_sweep(name: str, facts: Sequence[Fact]) -> Fact:
    if not facts:
        return Fact(name, "no run is ok", "")
    others = "; ".join(f"{fact.name[:1].lower()}{fact.name[1:]}: {fact.value}" for fact in facts[1:])
    return Fact(name, facts[0].value, f"{facts[0].note}; {others}" if others else facts[0].note)


def _versus(sweeps: Sequence[RecordedSweep]) -> str:
    """Which did the largest problem that they share in the least time."""
    rows = clusters.best(sweeps)
    if not rows:
        return "The sweeps have no problem in common: each stands for itself."
    problem = rows[-1].point.problem
    first, *others = (row for row in rows if row.point.problem == problem)
    told = ", ".join(f"{row.sweep.name} takes {estimate(row.ratio, 3)} times that" for row in others)
    return (
        f"At {first.point.size_text}, {first.sweep.name} has the shortest total time, {estimate(first.time, 3)} s by "
        f"{_name(first.point)}; {told}."
    )


def headline(sweep: RecordedSweep) -> tuple[RecordedSeries, Line, ScalingReach] | None:
    """The line that answers, with its series; None without points of several rank counts that share no core."""
    for scaling in (STRONG, WEAK):
        found = [
            (series, line, reach)
            for series in sweep.series
            if series.scaling == scaling
            for line in lines(series)
            if (reach := reach_of(line)) is not None
        ]
        if found:
            return max(found, key=lambda item: _weight(item[2]))
    return None


def _weight(reach: ScalingReach) -> float:
    """What lines are chosen by: operations or work per second; else the time, where sizes differ, or the speed."""
    best, experiment = reach.best, reach.best.experiment
    operations = experiment.operations(best.run)
    if operations is not None:
        return operations / best.seconds()
    if experiment.rated(best.run):
        return best.rate
    sizes = all(value.replace(".", "", 1).isdigit() for value in best.variant.names.values())
    return reach.base.seconds() if sizes else best.rate


def _sentence(sweep: RecordedSweep, line: Line, reach: ScalingReach, stop: Stop | None) -> str:
    best, last = reach.best, reach.last
    reached = f"{best.variant.phrase} reaches {_rate(best)} on {plural(best.run.ranks, 'rank')}"
    reached += _ratios(sweep, line, reach)
    told = f"{_growth(reach)}: {reached}" if reach.certain else f"{sentence(reached)}; {_uncertain(reach)}"
    return f"{told}; what costs most at {plural(last.run.ranks, 'rank')} {stop.told}." if stop else f"{told}."


def _growth(reach: ScalingReach) -> str:
    """How far throughput grows, as far as intervals carry it."""
    last, stop = reach.last.run.ranks, reach.stop.run.ranks
    if reach.grows:
        return f"{_word(reach)} grows up to {last} ranks, the most that were measured without sharing a core"
    if reach.stop is reach.base:
        return f"No gain from more than {plural(stop, 'rank')} can be claimed, of up to {last}"
    return f"{_word(reach)} grows up to {stop} ranks, and no gain beyond can be claimed, of up to {last}"


def _uncertain(reach: ScalingReach) -> str:
    few = f"{plural(reach.launches, 'launch')} a point"
    why = few if reach.launches < MIN_LAUNCHES else "launches ran on cores of different speed"
    return f"how far {_word(reach).lower()} grows is not certain ({why})"


def _word(reach: ScalingReach) -> str:
    return "Throughput" if reach.best.experiment.rated(reach.best.run) else "Speed"


def _ratios(sweep: RecordedSweep, line: Line, reach: ScalingReach) -> str:
    """How the best point stands against fewer ranks and against the serial run, or more ranks against it."""
    best, last = reach.best, reach.last
    told = []
    if line.scaling == STRONG and (relative := relative_speedup(best, line.points)).baseline not in (None, best):
        told.append(f"{estimate(relative.estimate, 3)} times as fast as {plural(relative.base, 'rank')}")
    absolute = absolute_speedup(best, sweep.points)
    if line.scaling == STRONG and absolute.baseline and best.experiment.is_serial(absolute.baseline.run):
        told.append(f"{estimate(absolute.estimate, 3)} times as fast as the serial run")
    if line.scaling == WEAK and (efficiency := weak_efficiency(best, line.points)).baseline not in (None, best):
        told.append(f"at an efficiency of {estimate(efficiency.estimate, 2)}")
    if best is reach.base:
        told.append(f"and {estimate(rate_ratio(last, best), 3)} times that rate on {plural(last.run.ranks, 'rank')}")
    return "".join(f", {text}" for text in told)


def _best_fact(point: RecordedPoint) -> Fact:
    name = "Best rate" if point.experiment.rated(point.run) else f"Best {point.experiment.headline_phrase}"
    return Fact(name, _rate(point), f"{_name(point)}, {point.size_text}")


def _reach_fact(reach: ScalingReach) -> Fact:
    """The count at which throughput stops growing; its bounds are the counts that cannot be told from the best."""
    stop, last = reach.stop.run.ranks, reach.last.run.ranks
    if not reach.certain:
        ratio = rate_ratio(reach.last, reach.base)
        note = f"{last} ranks do {estimate(ratio, 3)} times the rate of {plural(reach.base.run.ranks, 'rank')}"
        return Fact("Scaling stops", "not certain", f"{note}; an interval takes {MIN_LAUNCHES} launches on equal cores")
    if reach.grows:
        before = reach.points[-2]
        note = f"{last} ranks do {estimate(rate_ratio(reach.last, before), 3)} times the rate of {before.run.ranks}"
        return Fact("Scaling stops", f"above {last} ranks", f"{note}; more were not measured without sharing a core")
    furthest = reach.alike[-1]
    high = f"{furthest.run.ranks}{' or more' if furthest is reach.last else ''}"
    other = reach.last if reach.best is reach.stop else reach.best
    ratio = rate_ratio(other, reach.stop)
    alike = "no gain can be claimed" if other in reach.alike else "more ranks are slower"
    note = f"{plural(other.run.ranks, 'rank')} do {estimate(ratio, 3)} times the rate of {stop}: {alike}"
    return Fact("Scaling stops", f"at {plural(stop, 'rank')} [{stop}, {high}]", note)


def _stop_fact(reach: ScalingReach, stop: Stop | None) -> Fact:
    name = "What stops it" if reach.certain and not reach.grows else "What costs most"
    if stop is None:
        return Fact(name, "unknown", "there is no smaller count to compare with")
    where = f"at {plural(reach.last.run.ranks, 'rank')}"
    if not stop.words:
        return Fact(name, "nothing measured", f"no part of the ranks' time grew {where}")
    either = f", or {stop.second}" if stop.second else ""
    return Fact(name, f"{share(stop.share)} of the time", f"{stop.words}{either}; {where}")


def _without_scaling(sweep: RecordedSweep) -> ReportAnswer:
    """What the fastest point does, and why nothing is said of scaling."""
    timed = [point for point in sweep.points if point.counting]
    timed = [point for point in timed if OVERSUBSCRIBED not in point.marks] or timed
    if not timed:
        return ReportAnswer(NOTHING)
    best = max(timed, key=lambda point: point.rate)
    slots = [node.get("slots") for node in sweep.inventory.get("nodes") or [] if isinstance(node, dict)]
    why = "One slot" if slots == [1] else "No series has points of several rank counts that share no core"
    told = f"{why}: there is no scaling to measure, and {_name(best)} does {_rate(best)}."
    drawings = [f"{slug(series.scaling, series.name)}-time" for series in sweep.series if best in series.points]
    return ReportAnswer(told, (_best_fact(best),), tuple(drawings))


def _rate(point: RecordedPoint) -> str:
    """Work per second or, where that says nothing, the headline."""
    time, experiment = point.time(), point.experiment
    if time is None:
        return number(None)
    told = experiment.told(time, point.work)
    if told is not time or not experiment.rated(point.run):
        return f"{estimate(told, 3)}{experiment.headline_unit}"
    return f"{estimate(time.inverse(point.work.amount), 3)}{experiment.rate_unit(point.run)}"


def _name(point: RecordedPoint) -> str:
    return f"{point.variant.phrase} on {plural(point.run.ranks, 'rank')}"
