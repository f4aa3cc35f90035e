"""Every measured number in tidy form: one row a rank, timed repeat and phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.records.launch import PARTS
from results.records.sweep import RecordedSweep
from results.table import csv_of

COLUMNS = (
    "sweep", "run_id", "series", "ranks", "batch", "movement", "backend", "launch", "sequence", "outcome",
    "repeat", "rank", "phase", "time_s",
)  # fmt: skip


def samples_csv(sweeps: Sequence[RecordedSweep]) -> str:
    """The rows of all sweeps as CSV; `wait` counts as a phase, so a rank's rows of a repeat add up to its time."""
    return csv_of(COLUMNS, ((*row[:-1], repr(row[-1])) for row in rows(sweeps)))


def rows(sweeps: Sequence[RecordedSweep]) -> Iterator[tuple[object, ...]]:
    """The same as values, in the order of COLUMNS."""
    for sweep in sweeps:
        yield from _rows(sweep)


def _rows(sweep: RecordedSweep) -> Iterator[tuple[object, ...]]:
    for launch in sweep.launches:
        run = launch.run
        head = (
            sweep.name, launch.run_id, " ".join(launch.series), run.ranks, run.problem.batch, run.movement,
            run.backend, run.launch, launch.sequence, launch.outcome,
        )  # fmt: skip
        for index, repeat in enumerate(launch.repeats):
            for rank in repeat.ranks:
                for part in PARTS:
                    yield (*head, index, rank.rank, part, rank.parts_s[part])
