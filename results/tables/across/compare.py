"""Two sides compared point by point, with a verdict on each point and on all."""

from __future__ import annotations

from collections.abc import Sequence

from results.comparison.sweeps import EQUIVALENT, FASTER, MIN_SWEEPS, SAME, SLOWER, Comparison, Pair
from results.estimates import CONFIDENCE, Estimate, time_estimate
from results.formats import estimate, plural
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.scaling.speedup import conflict
from results.table import Column, Table, build, estimated, hidden, numeric, plain
from results.tables import columns

SHORT = {SAME: "cannot tell"}


def table(first: Sequence[RecordedSweep], second: Sequence[RecordedSweep], found: Comparison) -> Table:
    """One row per pair; the notes have the verdict on all."""
    points = [point for sweep in (*first, *second) for point in sweep.points]
    shown_columns: list[Column[Pair]] = [
        *columns.place(points, lambda pair: pair.first[0], detailed=True),
        estimated("A (s)", "a", lambda pair: _time(pair.first, pair.clock), unit="_s"),
        estimated("B (s)", "b", lambda pair: _time(pair.second, pair.clock), unit="_s"),
        estimated("B / A", "ratio", lambda pair: pair.ratio, digits=3),
        numeric("p, corrected", "probability", lambda pair: pair.probability, 2),
        plain("B is", "verdict", lambda pair: _word(pair, found.tolerance)),
        hidden("clock", lambda pair: pair.clock),
        hidden("run_ids", lambda pair: " ".join(run for point in (*pair.first, *pair.second) for run in point.run_ids)),
    ]
    notes = [
        f"A is {_names(first)}, B is {_names(second)}.",
        _verdict(found),
        f"Time is {first[0].experiment.headline_word} time, total time where a point streams. A difference is claimed "
        f"where Welch's test in log time finds it at {1 - CONFIDENCE:.0%}, corrected for the number of points (Holm).",
        *_severe(found),
        _scope(found),
    ]
    if found.tolerance is not None:
        notes.append(
            f"Equivalent: two one-sided tests at {1 - CONFIDENCE:.0%} find the times within "
            f"{_percent(found.tolerance)} of each other; that goes before a difference."
        )
    if any(found.alone):
        told = f"{plural(found.alone[0], 'point')} of A and {plural(found.alone[1], 'point')} of B"
        notes.append(f"{told} have no counterpart.")
    if why := conflict(point for pair in found.pairs for point in (*pair.first, *pair.second)):
        notes.append(f"The two differ in more than what was meant to be compared: {why}.")
    return build("Comparison", shown_columns, found.pairs, name="compare", notes=notes)


def _time(points: Sequence[RecordedPoint], clock: str) -> Estimate | None:
    """Of one sweep the point's own; of several, over all that have one, with a sweep as the unit."""
    if len(points) == 1:
        return points[0].time(clock)
    seconds = [point.seconds(clock) for point in points if point.timed]
    return time_estimate(seconds) if seconds else None


def _severe(found: Comparison) -> list[str]:
    """The level of tests of points whose launches were added until they were enough."""
    levels = {pair.confidence for pair in found.pairs} - {CONFIDENCE}
    if not levels:
        return []
    return [
        f"Where launches were added until intervals were narrow enough, tests are at {1 - max(levels):.0%}, for such "
        "intervals tend to be too narrow."
    ]


def _names(sweeps: Sequence[RecordedSweep]) -> str:
    return " and ".join(sweep.name for sweep in sweeps)


def _word(pair: Pair, tolerance: float | None) -> str:
    if tolerance is None:
        return pair.verdict
    if pair.verdict == EQUIVALENT:
        return f"equivalent within {_percent(tolerance)}"
    return SHORT.get(pair.verdict, pair.verdict.replace(SAME, SHORT[SAME]))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _scope(found: Comparison) -> str:
    if found.in_general:
        return "A sweep is the unit: its launches and points are off together."
    return (
        "Holds between these two sweeps alone: other sweeps of the same would differ by more than launches do. For a "
        f"claim beyond them, give {MIN_SWEEPS} sweeps a side, with commas between them."
    )


def _verdict(found: Comparison) -> str:
    if not found.pairs:
        return "The two sweeps have no point in common: nothing can be compared."
    words = (FASTER, SLOWER, EQUIVALENT)
    counts = {word: sum(pair.verdict == word for pair in found.pairs) for word in words}
    points = f"{counts[FASTER]} of {plural(len(found.pairs), 'point')} faster, {counts[SLOWER]} slower, "
    if found.tolerance is not None:
        points += f"{counts[EQUIVALENT]} equivalent within {_percent(found.tolerance)}, "
    points += f"{len(found.pairs) - sum(counts.values())} without a difference that can be claimed"
    scope = "over all points" if found.in_general else "over all points of these sweeps"
    if found.verdict == SAME:
        ratio = f" (mean B / A {estimate(found.overall, 3)})" if found.overall else ""
        return f"Verdict: {SAME} between A and B {scope}{ratio}; {points}."
    return f"Verdict: B is {found.verdict} than A {scope}, mean B / A {estimate(found.overall, 3)}; {points}."
