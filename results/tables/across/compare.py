"""Two sweeps compared point by point, with a verdict on each point and on all."""

from __future__ import annotations

from results.comparison import sweeps
from results.comparison.sweeps import SAME, Comparison, Pair
from results.estimates import CONFIDENCE
from results.formats import estimate, plural
from results.records.sweep import RecordedSweep
from results.scaling.speedup import conflict
from results.table import Column, Table, build, estimated, hidden, numeric, plain
from results.tables import columns


def table(first: RecordedSweep, second: RecordedSweep, found: Comparison) -> Table:
    """One row per pair; the notes have the verdict on all."""
    shown_columns: list[Column[Pair]] = [
        *columns.place([*first.points, *second.points], lambda pair: pair.first, detailed=True),
        estimated("A (s)", "a", lambda pair: pair.first.time(pair.clock), unit="_s"),
        estimated("B (s)", "b", lambda pair: pair.second.time(pair.clock), unit="_s"),
        estimated("B / A", "ratio", lambda pair: pair.ratio, digits=3),
        numeric("p, corrected", "probability", lambda pair: pair.probability, 2),
        plain("B is", "verdict", lambda pair: pair.verdict),
        hidden("clock", lambda pair: pair.clock),
        hidden("run_ids", lambda pair: " ".join((*pair.first.run_ids, *pair.second.run_ids))),
    ]
    notes = [
        f"A is {first.name}, B is {second.name}.",
        _verdict(found),
        f"Time is {first.experiment.headline_word} time, total time where a point streams. A difference is claimed "
        f"where Welch's test in log time finds it at {1 - CONFIDENCE:.0%}, corrected for the number of points (Holm).",
    ]
    if any(found.alone):
        told = f"{plural(found.alone[0], 'point')} of A and {plural(found.alone[1], 'point')} of B"
        notes.append(f"{told} have no counterpart.")
    if why := conflict(point for pair in found.pairs for point in (pair.first, pair.second)):
        notes.append(f"The two differ in more than what was meant to be compared: {why}.")
    return build("Comparison", shown_columns, found.pairs, name="compare", notes=notes)


def _verdict(found: Comparison) -> str:
    if not found.pairs:
        return "The two sweeps have no point in common: nothing can be compared."
    counts = {word: sum(pair.verdict == word for pair in found.pairs) for word in (sweeps.FASTER, sweeps.SLOWER)}
    points = (
        f"{counts[sweeps.FASTER]} of {plural(len(found.pairs), 'point')} faster, {counts[sweeps.SLOWER]} slower, "
        f"{len(found.pairs) - sum(counts.values())} without a difference that can be claimed"
    )
    if found.verdict == SAME:
        ratio = f" (mean B / A {estimate(found.overall, 3)})" if found.overall else ""
        return f"Verdict: {SAME} between A and B over all points{ratio}; {points}."
    return f"Verdict: B is {found.verdict} than A over all points, mean B / A {estimate(found.overall, 3)}; {points}."
