"""All measured times in tidy form: one row per rank, timed repeat and phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep
from results.table import csv_of

BEFORE = ("sweep", "run_id", "series", "ranks")
AFTER = ("launch", "sequence", "outcome")
MEASURED = ("repeat", "rank", "phase", "time_s")


def columns(sweeps: Sequence[RecordedSweep]) -> tuple[str, ...]:
    """The columns; those of size and variant depend on the kind of experiment."""
    points = [point for sweep in sweeps for point in sweep.points]
    sizes = dict.fromkeys(sweep.experiment.size_key for sweep in sweeps)
    variants = dict.fromkeys(key for point in points for key in point.variant.names)
    return (*BEFORE, *sizes, *variants, *AFTER, *MEASURED)


def samples_csv(sweeps: Sequence[RecordedSweep]) -> str:
    """The rows of all sweeps as CSV. `wait` counts as a phase, so that a rank's rows of a repeat add up to its time."""
    return csv_of(columns(sweeps), (row.values() for row in rows(sweeps)))


def rows(sweeps: Sequence[RecordedSweep]) -> Iterator[Mapping[str, object]]:
    """The rows as values by column, in the order of `columns`."""
    names = columns(sweeps)
    for sweep in sweeps:
        for launch in sweep.launches:
            yield from _rows(names, sweep, launch)


def _rows(names: Sequence[str], sweep: RecordedSweep, launch: RecordedLaunch) -> Iterator[Mapping[str, object]]:
    run, experiment = launch.run, launch.experiment
    known: dict[str, object] = {
        "sweep": sweep.name,
        "run_id": launch.run_id,
        "series": " ".join(launch.series),
        "ranks": run.ranks,
        experiment.size_key: experiment.size_cell(run),
        **experiment.variant(run).names,
        "launch": run.launch,
        "sequence": launch.sequence,
        "outcome": launch.outcome,
    }
    head = {name: known.get(name) for name in names if name not in MEASURED}
    for index, repeat in enumerate(launch.repeats):
        for rank in repeat.ranks:
            for part in experiment.parts:
                yield {**head, "repeat": index, "rank": rank.rank, "phase": part, "time_s": rank.parts_s[part]}
