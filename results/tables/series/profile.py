"""How ranks spent their time: load imbalance, and time inside MPI as mpiP prints it (the paper's Table 3)."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from results.formats import NONE, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from results.table import Column, Table, build, numeric, plain, shown
from results.tables import columns

ALL_TASKS = "*"  # mpiP's name for the sum over ranks


@dataclass(frozen=True)
class TaskRow:
    """One rank of a point, or all ranks: median seconds of a repeat, and seconds inside MPI."""

    point: RecordedPoint
    task: str
    app_s: float
    mpi_s: float

    @property
    def percent(self) -> float | None:
        return 100.0 * self.mpi_s / self.app_s if self.app_s > 0.0 else None


@dataclass(frozen=True)
class CallRow:
    """One MPI function on one rank of a point, mean over launches."""

    point: RecordedPoint
    rank: int
    call: str
    count: float
    bytes: float
    time_s: float
    share: float | None


def imbalance(series: RecordedSeries) -> Table:
    """Maximum over mean of each part of a repeat, over ranks."""
    points = [point for point in series.points if point.timed]
    found = [
        *columns.place(series.points, columns.itself),
        *(_part(part) for part in series.experiment.parts),
        columns.run_ids(columns.itself),
    ]
    notes = [
        "Longest rank over the mean of all ranks, of median times; 1 is even. Where one rank does all of a phase it is "
        "the number of ranks. A dash: no rank spent time there."
    ]
    name = slug("imbalance", series.name)
    return build(f"Load imbalance, maximum over mean: {series.name}", found, points, name=name, notes=notes)


def mpi(series: RecordedSeries) -> Table:
    """AppTime, MPITime and MPI% of every rank."""
    rows = [row for point in series.points if point.timed for row in tasks(point)]
    found: list[Column[TaskRow]] = [
        *columns.place(series.points),
        plain("Task", "task", lambda row: row.task),
        numeric("AppTime (s)", "app_s", lambda row: row.app_s),
        numeric("MPITime (s)", "mpi_s", lambda row: row.mpi_s),
        shown("MPI%", "mpi_percent", lambda row: row.percent, _percent),
        columns.run_ids(),
    ]
    notes = [
        "As mpiP prints it, for one repeat (the median). MPI% is the share of time inside MPI calls, waiting for other "
        "ranks included: it does not measure parallel work. The task * is the sum over ranks."
    ]
    name = slug("mpi", series.name)
    return build(f"MPI profile: {series.name}", found, rows, name=name, notes=notes)


def calls(series: RecordedSeries) -> Table:
    """Count, bytes and time of each MPI function on each rank."""
    rows = [row for point in series.points if point.timed for row in _calls(point)]
    found: list[Column[CallRow]] = [
        columns.ranks(),
        *columns.variants(series.points),
        plain("Rank", "rank", lambda row: row.rank),
        plain("Call", "call", lambda row: row.call),
        shown("Count", "count", lambda row: row.count, lambda value: f"{value:g}"),
        shown("Bytes", "bytes", lambda row: row.bytes, lambda value: f"{value:.0f}"),
        numeric("Time (s)", "time_s", lambda row: row.time_s),
        shown("Share of MPI time (%)", "share_percent", lambda row: row.share, _percent),
        columns.run_ids(),
    ]
    notes = ["All timed repeats of a launch together, mean over launches. Bytes are those the rank sends and receives."]
    name = slug("mpi-calls", series.name)
    return build(f"MPI calls: {series.name}", found, rows, name=name, notes=notes)


def _part(part: str) -> Column[RecordedPoint]:
    def value(point: RecordedPoint) -> float | None:
        return point.imbalance[part]

    return numeric(part.capitalize(), f"{part}_max_over_mean", value, 3)


def tasks(point: RecordedPoint) -> list[TaskRow]:
    """One row per rank, then the sum over ranks."""
    samples: dict[int, list[tuple[float, float]]] = {}
    for launch in point.timed:
        for repeat in launch.repeats:
            for rank in repeat.ranks:
                whole_s = rank.app_s if rank.profiled_s is None else rank.profiled_s
                samples.setdefault(rank.rank, []).append((whole_s, rank.mpi_s))
    rows = [
        TaskRow(point, str(rank), *(statistics.median(column) for column in zip(*times, strict=True)))
        for rank, times in sorted(samples.items())
    ]
    total = TaskRow(point, ALL_TASKS, sum(row.app_s for row in rows), sum(row.mpi_s for row in rows))
    return [*rows, total]


def _calls(point: RecordedPoint) -> list[CallRow]:
    found: dict[tuple[int, str], list[tuple[int, int, float]]] = {}
    for launch in point.timed:
        for call in launch.mpi_calls:
            found.setdefault((call.rank, call.call), []).append((call.count, call.bytes, call.time_s))
    means = {
        key: [sum(column) / len(point.timed) for column in zip(*values, strict=True)]
        for key, values in sorted(found.items())
    }
    in_mpi_s: dict[int, float] = {}
    for (rank, _), (_, _, time_s) in means.items():
        in_mpi_s[rank] = in_mpi_s.get(rank, 0.0) + time_s
    return [
        CallRow(point, rank, call, count, size, time_s, 100.0 * time_s / in_mpi_s[rank] if in_mpi_s[rank] else None)
        for (rank, call), (count, size, time_s) in means.items()
    ]


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
