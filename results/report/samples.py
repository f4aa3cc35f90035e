"""All measured times in tidy form: one row per rank, timed repeat and phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep
from results.table import CSV_END, csv_of

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
    names = columns(sweeps)
    lines = [csv_of(names, ())]
    for sweep in sweeps:
        for launch in sweep.launches:
            head = csv_of(_head(names, sweep, launch), ()).removesuffix(CSV_END)
            lines += [
                f"{head},{repeat},{rank},{part},{time_s}{CSV_END}" for repeat, rank, part, time_s in _times(launch)
            ]
    return "".join(lines)


def rows(sweeps: Sequence[RecordedSweep]) -> Iterator[tuple[object, ...]]:
    """The rows as values in the order of `columns`."""
    names = columns(sweeps)
    for sweep in sweeps:
        for launch in sweep.launches:
            head = _head(names, sweep, launch)
            yield from ((*head, *measured) for measured in _times(launch))


def _head(names: Sequence[str], sweep: RecordedSweep, launch: RecordedLaunch) -> tuple[object, ...]:
    """What all rows of a launch begin with."""
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
    return tuple(known.get(name) for name in names if name not in MEASURED)


def _times(launch: RecordedLaunch) -> Iterator[tuple[int, int, str, float]]:
    """The values of MEASURED."""
    parts = launch.experiment.parts
    for index, repeat in enumerate(launch.repeats):
        for rank in repeat.ranks:
            for part in parts:
                yield index, rank.rank, part, rank.parts_s[part]
