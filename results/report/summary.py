"""What a sweep showed, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from results.forecast import accuracy
from results.formats import estimate, number, plural
from results.records.launch import RecordedLaunch
from results.records.marks import CORES_DIFFER, MARKS, MIXED, OVERSUBSCRIBED, SMT
from results.records.measurement import AnswerCheck
from results.records.point import RecordedPoint
from results.records.program import RecordedProgram
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.disturbance import warnings
from results.scaling.precision import precision
from results.scaling.speedup import Ratio, absolute_speedup, relative_speedup, scaled_speedup, weak_efficiency
from results.tables import looks
from results.tables.sweep.accuracy import quality
from results.tables.sweep.check import NOT_FINITE, checks, largest
from results.tables.sweep.provenance import bindings
from workload.record.outcomes import OK

BESIDE = {"beside": "Measured beside another sweep", "joined": "Other work was started beside this sweep"}


def sentences(sweep: RecordedSweep) -> list[str]:
    """Runs by outcome, the fastest point, speedup at the largest count, the check, binding and marks."""
    lines = [ran(sweep), *_looked(sweep), *_fastest(sweep)]
    for series in sweep.series:
        lines += _at_the_largest(sweep, series)
    lines += [*warnings(sweep), *_foretold(sweep), *checked(sweep)]
    if policy := bindings(sweep):
        lines.append(f"Binding policy of all runs: {policy}.")
    beside = [
        f"{BESIDE[str(name)]}: {event.get('sweep')}." for event in sweep.events if (name := event["event"]) in BESIDE
    ]
    return [*lines, *beside, *marked(sweep)]


def _foretold(sweep: RecordedSweep) -> list[str]:
    rows = accuracy.of_sweep(sweep)
    return [quality(rows)] if rows else []


def ran(sweep: RecordedSweep) -> str:
    """The runs by outcome."""
    counts = Counter(launch.outcome for launch in sweep.launches)
    ordered = sorted(counts.items(), key=lambda item: (item[0] != OK, item[0]))
    told = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in ordered) or "none recorded"
    late = f" {plural(sweep.unfinished, 'planned run')} left no record." if sweep.unfinished else ""
    return f"{plural(len(sweep.launches), 'run')}: {told}.{late}"


def _looked(sweep: RecordedSweep) -> list[str]:
    """Whether launches were added until they were enough, and what ended that."""
    if not sweep.looks:
        return []
    last, found = sweep.looks[-1], precision(sweep.points)
    within, ended = last.get("within"), last.get("end")
    told = looks.notes(sweep.points)
    if isinstance(within, float):
        wide, points = len(found.wide(within)), plural(len(found.widths), "point")
        told.append(f"{len(found.widths) - wide} of {points} lie within {100 * within:.3g} % of their time.")
        told += [f"What ended it: {ended}."] if wide and ended else []
        told += [f"{found.told_left_out}."] if found.left_out else []
    return told


def _fastest(sweep: RecordedSweep) -> list[str]:
    timed = _worth_telling(sweep.points)
    if not timed:
        return ["No run is ok: there is no time to report."]
    point = max(timed, key=lambda point: point.rate)
    experiment = point.experiment
    operations = experiment.operations(point.run)
    gflops = "" if operations is None else f"{number(operations / point.seconds() / 1e9, 3)} GFLOP/s, "
    return [
        f"Highest rate: {number(point.rate, 3)}{experiment.rate_unit(point.run)} ({gflops}{experiment.headline_phrase} "
        f"{estimate(experiment.told(point.time(), point.work), 3)}{experiment.headline_unit}) by {_name(point)} in "
        f"series {', '.join(sorted(point.series))}."
    ]


def _worth_telling(points: Sequence[RecordedPoint]) -> list[RecordedPoint]:
    """The points that count; without the oversubscribed ones, unless there are no others."""
    timed = [point for point in points if point.counting]
    return [point for point in timed if OVERSUBSCRIBED not in point.marks] or timed


def _name(point: RecordedPoint) -> str:
    apart = "".join(f", {mark}" for mark in (OVERSUBSCRIBED, SMT, MIXED) if mark in point.marks)
    return f"{point.variant.phrase} on {plural(point.run.ranks, 'rank')}{apart}, {point.size_text}"


def _at_the_largest(sweep: RecordedSweep, series: RecordedSeries) -> Iterator[str]:
    counting = _worth_telling(series.points)
    ranks = max((point.run.ranks for point in counting), default=1)
    if ranks == 1:
        return
    best = max((point for point in counting if point.run.ranks == ranks), key=lambda point: point.rate)
    if series.scaling == STRONG:
        relative, absolute = relative_speedup(best, series.points), absolute_speedup(best, sweep.points)
        against = f" against {_name(absolute.baseline)}" if absolute.baseline else ""
        told = f"relative speedup {_told(relative)}, absolute {_told(absolute)}{against}"
        if series.experiment.smallest_baseline:
            told = f"speedup {_told(relative)} against {plural(relative.base, 'rank')}"
        yield f"Strong scaling ({series.name}), {_name(best)}: {told}."
    elif series.scaling == WEAK:
        efficiency, scaled = weak_efficiency(best, series.points), scaled_speedup(best, series.points)
        told = f"efficiency {_told(efficiency)}, scaled speedup {_told(scaled)}"
        yield f"Weak scaling ({series.name}), {_name(best)}: {told}."


def _told(ratio: Ratio) -> str:
    return estimate(ratio.estimate, 3) if ratio.estimate else f"none ({ratio.why_not})"


def checked(sweep: RecordedSweep) -> list[str]:
    """What was checked of the answers, and what came of it."""
    if isinstance(sweep.experiment, RecordedProgram):
        conditions = {launch.experiment.settings(launch.run)["Success"] for launch in sweep.launches} - {""}
        told = "; ".join(sorted(conditions)) or "nothing but the exit status"
        return [f"A run is ok where it meets what the study asks: {told}."]
    replays: list[AnswerCheck] = []
    found: list[AnswerCheck] = []
    for point in sweep.points:
        (replays if point.experiment.why_uncounted(point.run) else found).extend(checks(point))
    planned = f"{plural(sum(not check.passed for check in replays), 'replay')} gave a wrong answer, as planned."
    return [*_check_of(found), planned] if replays else _check_of(found)


def _check_of(found: Sequence[AnswerCheck]) -> list[str]:
    if not found:
        return ["No answer was checked."]
    repeats, rows = sum(check.repeats_checked for check in found), sum(check.rows_checked for check in found)
    wrong = sum(not check.passed for check in found)
    worst = largest([check.worst_error_over_tolerance for check in found])
    told = "not finite" if worst is not None and worst >= NOT_FINITE else f"{number(worst, 2)} of the tolerance"
    least = number(largest([check.detectable_abs_error for check in found]), 3)
    verdict = f"{plural(wrong, 'run')} gave a wrong answer" if wrong else "every answer was right"
    return [
        f"Check: {repeats:,} repeats, {rows:,} output rows: {verdict}; worst error {told}. "
        f"An error above {least} in any one element would have been caught."
    ]


def marked(sweep: RecordedSweep) -> list[str]:
    """The marks of runs and points, and how many have them."""
    marked: dict[str, list[RecordedLaunch]] = {mark: [] for mark in MARKS}
    for launch in sweep.launches:
        for mark in launch.marks:
            marked[mark].append(launch)
    told = [f"Marked {mark} ({MARKS[mark]}): {plural(len(found), 'run')}." for mark, found in marked.items() if found]
    if differ := sum(point.cores_differ for point in sweep.points):
        told.append(f"Marked {CORES_DIFFER} ({MARKS[CORES_DIFFER]}): {plural(differ, 'point')}.")
    return told
