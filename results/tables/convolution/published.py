"""The paper's published numbers beside the measured ones, by the clock nearest to the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.audit.paper import published
from results.audit.paper.published import CLOCKS, PublishedRun
from results.estimates import Estimate
from results.formats import NONE, mib, number, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Column, Table, build, estimated, hidden, numeric, plain, shown
from results.tables.series.profile import tasks
from workload.movement.descriptions.footprint import predict


@dataclass(frozen=True)
class PublishedRow:
    """A published run, and a measured point of the same rank count and batch, or None."""

    published: PublishedRun
    point: RecordedPoint | None
    time: Estimate | None


def tables(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """One table for each of the paper's clusters of which the series repeats a run."""
    runs = published.beside(sweep, series)
    clusters = dict.fromkeys(run.cluster for run in runs if _points(series, run) != [None])
    found = [_table(series, cluster, runs) for cluster in clusters]
    return [*found, *_local(series)] if found else _local(series)


def _table(series: RecordedSeries, cluster: str, runs: tuple[PublishedRun, ...]) -> Table:
    theirs, clock, ours = CLOCKS[cluster]
    rows = [
        PublishedRow(run, point, point.time(clock) if point else None)
        for run in runs
        if run.cluster == cluster
        for point in _points(series, run)
    ]
    notes = [
        f"The paper's clock on its {cluster} cluster covers {theirs}; the nearest of ours is {ours}, longest over "
        "ranks. Other machines, so times are not comparable in size, only in how they change.",
        "The paper's memory is a reading before the scatter (fat) or after the gather (light); ours is the peak.",
        f"Source: {published.document()['source']}.",
    ]
    if any(row.published.status == published.IMPOSSIBLE for row in rows):
        notes.append(f"The paper says: {published.impossible_claim()['claim']}.")
    notes += _killed(rows)
    name = slug("paper", cluster, series.name)
    return build(f"Beside the paper's {cluster} cluster: {series.name}", _columns(ours), rows, name=name, notes=notes)


def _killed(rows: Sequence[PublishedRow]) -> list[str]:
    """Notes on the runs that the paper prints as killed: the arrays of a correct run, and our outcome."""
    notes = []
    for row in rows:
        run = row.published
        if run.status != published.KILLED or row.point is None:
            continue
        arrays = sum(
            predict(
                row.point.convolution.problem, row.point.convolution.grid, row.point.convolution.movement
            ).array_bytes
        )
        notes.append(
            f"The paper explains its killed run on {run.processes} ranks by 1 GB a rank on 16 GB. Honest work of "
            f"{row.point.convolution.movement} at B = {run.batch} has {arrays / 1e9:.1f} GB of arrays in all ranks; "
            f"ours ended as {row.point.outcome}. Where it fits 16 GB, memory does not explain the killed run: its "
            "cause is open."
        )
    return list(dict.fromkeys(notes))


def _points(series: RecordedSeries, run: PublishedRun) -> list[RecordedPoint | None]:
    same = [p for p in series.points if (p.run.ranks, p.convolution.problem.batch) == (run.processes, run.batch)]
    return [*same] or [None]


def _columns(ours: str) -> list[Column[PublishedRow]]:
    def memory(row: PublishedRow) -> int | None:
        return (sum(row.point.peak_bytes.values()) or None) if row.point else None

    return [
        plain("Ranks", "ranks", lambda row: row.published.processes),
        plain("Batch", "batch", lambda row: row.published.batch),
        plain("Published in", "published_in", lambda row: row.published.table),
        Column("Published time (s)", _published_time, lambda row: {"published_s": row.published.time_s}),
        plain("Movement", "movement", lambda row: row.point.run.movement if row.point else NONE),
        plain("Backend", "backend", lambda row: row.point.run.backend if row.point else NONE),
        estimated(f"Measured, {ours} (s)", "measured", lambda row: row.time, unit="_s"),
        numeric(
            "Published memory (MiB)",
            "published_memory_mib",
            lambda row: row.published.memory_total_mib,
        ),
        shown("Measured memory (MiB)", "peak_rss_all_ranks_bytes", memory, mib),
        plain("Outcome", "outcome", lambda row: row.point.outcome if row.point else "not run"),
        hidden("run_ids", lambda row: " ".join(row.point.run_ids) if row.point else ""),
    ]


def _published_time(row: PublishedRow) -> str:
    words = {published.KILLED: "-killed process-", published.IMPOSSIBLE: "not possible"}
    return words.get(row.published.status) or number(row.published.time_s)


def _local(series: RecordedSeries) -> list[Table]:
    """Tables 2 and 3, if the series has the paper's local experiment: 4 ranks, B = 20."""
    local = published.document()["local_pre_experiment"]
    same = [
        point
        for point in series.points
        if published.is_papers(point.convolution.problem)
        and (point.run.ranks, point.convolution.problem.batch) == (local["processes"], local["batch"])
    ]
    if not same:
        return []
    profile = published.document()["mpi_profile"]["rows"]
    rows = [(point, rank) for point in same for rank in range(local["processes"])]
    columns: list[Column[tuple[RecordedPoint, int]]] = [
        plain("Movement", "movement", lambda row: row[0].convolution.movement),
        plain("Backend", "backend", lambda row: row[0].convolution.backend),
        plain("Rank", "rank", lambda row: row[1]),
        plain("Published range", "published_range", lambda row: _range(local["batch_ranges_printed"][row[1]])),
        plain("Measured range", "measured_range", lambda row: _range(_batch_span(row[0], row[1]))),
        plain("Published memory (MiB)", "published_memory_mib", lambda row: local["memory_per_rank_mb"][row[1]]),
        shown(
            "Measured memory (MiB)",
            "peak_rss_bytes",
            lambda row: row[0].peak_bytes.get(row[1]),
            mib,
        ),
        plain("Published MPI%", "published_mpi_percent", lambda row: profile[row[1]]["mpi_percent"]),
        numeric("Measured MPI%", "mpi_percent", _mpi_percent),
        plain("Outcome", "outcome", lambda row: row[0].outcome),
        hidden("run_ids", lambda row: " ".join(row[0].run_ids)),
    ]
    notes = [
        f"The paper's longest time is {local['time_s']} s, its memory in all {local['memory_total_mb']} MiB.",
        "The printed batch ranges cover 4 images where the printed output holds 20.",
    ]
    name = slug("paper", "local", series.name)
    return [build(f"Beside the paper's tables 2 and 3: {series.name}", columns, rows, name=name, notes=notes)]


def _mpi_percent(row: tuple[RecordedPoint, int]) -> float | None:
    point, rank = row
    return next((task.percent for task in tasks(point) if task.task == str(rank)), None)


def _batch_span(point: RecordedPoint, rank: int) -> tuple[int, int] | None:
    blocks = [block for launch in point.launches for block in launch.blocks if block.rank == rank]
    return blocks[0].spans.get("batch") if blocks else None


def _range(span: tuple[int, int] | list[int] | None) -> str:
    return f"{span[0]}:{span[1]}" if span else NONE
