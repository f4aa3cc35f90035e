"""All measured times in tidy form: one row per rank, timed repeat and phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep
from results.table import CSV_END, csv_of

BEFORE = ("sweep", "run_id", "series", "ranks")
AFTER = ("launch", "sequence", "outcome")
MEASURED = ("repeat", "rank", "phase", "time_s")
DEVICE = "device_s"  # seconds that a GPU was busy for the phase, by its own clock; where any launch has them


def columns(sweeps: Sequence[RecordedSweep]) -> tuple[str, ...]:
    """The columns; those of size and variant depend on the kind of experiment."""
    points = [point for sweep in sweeps for point in sweep.points]
    sizes = dict.fromkeys(sweep.experiment.size_key for sweep in sweeps)
    variants = dict.fromkeys(key for point in points for key in point.variant.names)
    return (*BEFORE, *sizes, *variants, *AFTER, *MEASURED, *([DEVICE] if _with_gpus(sweeps) else []))


def samples_csv(sweeps: Sequence[RecordedSweep]) -> str:
    """The rows of all sweeps as CSV. `wait` counts as a phase, so that a rank's rows of a repeat add up to its time."""
    names = columns(sweeps)
    device = DEVICE in names
    lines = [csv_of(names, ())]
    for sweep in sweeps:
        for launch in sweep.launches:
            head = csv_of(_head(names, sweep, launch), ()).removesuffix(CSV_END)
            lines += [
                f"{head},{repeat},{rank},{part},{time_s}{_cell(busy_s) if device else ''}{CSV_END}"
                for repeat, rank, part, time_s, busy_s in _times(launch)
            ]
    return "".join(lines)


def rows(sweeps: Sequence[RecordedSweep]) -> Iterator[tuple[object, ...]]:
    """The rows as values in the order of `columns`."""
    names = columns(sweeps)
    count = len(MEASURED) + (DEVICE in names)
    for sweep in sweeps:
        for launch in sweep.launches:
            head = _head(names, sweep, launch)
            yield from ((*head, *measured[:count]) for measured in _times(launch))


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
    return tuple(known.get(name) for name in names if name not in (*MEASURED, DEVICE))


def _times(launch: RecordedLaunch) -> Iterator[tuple[int, int, str, float, float | None]]:
    """The values of MEASURED and of DEVICE."""
    parts = launch.experiment.parts
    for index, repeat in enumerate(launch.repeats):
        for rank in repeat.ranks:
            busy_s = rank.device_s or {}
            for part in parts:
                yield index, rank.rank, part, rank.parts_s[part], busy_s.get(part)


def _cell(busy_s: float | None) -> str:
    return "," if busy_s is None else f",{busy_s}"


def _with_gpus(sweeps: Sequence[RecordedSweep]) -> bool:
    launches = (launch for sweep in sweeps for launch in sweep.launches)
    return any(rank.device_s for launch in launches for repeat in launch.repeats for rank in repeat.ranks)
