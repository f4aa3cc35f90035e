"""t(N) / t(1) as published, replayed and correct, side by side."""

from __future__ import annotations

from collections.abc import Callable

from results.audit.paper import replay
from results.audit.paper.published import CLOCKS, CLUSTERS, document
from results.audit.paper.replay import ReplayRow
from results.estimates import Estimate
from results.formats import slug
from results.records.sweep import RecordedSeries
from results.table import Column, Table, build, estimated, hidden, numeric, plain


def tables(series: RecordedSeries) -> list[Table]:
    """One table, if the series replays the published method."""
    rows = replay.rows(series)
    if not rows:
        return []
    crowded = sorted({row.ranks for row in rows if row.crowding > 1.0})
    notes = [
        "The replay divides the batch by N twice, as the published program does: a rank convolves floor(floor(B/N)/N) "
        "images. Its answer is wrong from two ranks on, and it enters no speedup.",
        *(f"{cluster.capitalize()} clock: {CLOCKS[cluster][0]}." for cluster in CLUSTERS),
        "Correct: scatter-gather of the same sweep, forward time. Every ratio is t(N)/t(1) of its own column.",
        "At equal core speed: each rank's seconds times what its core did of a fixed small block in a second, read "
        "before and after every repeat. Beside them the seconds as they were, which also hold what slowed the cores.",
    ]
    if crowded:
        told = ", ".join(map(str, crowded))
        notes.append(
            f"At {told} ranks there are fewer cores than ranks: convolve time is expected to be the work times "
            "N/cores. CPU time is not."
        )
    notes.append(f"Published: {document()['source']}.")
    title = f"Published, replayed and correct: {series.name}"
    return [build(title, _columns(), rows, name=slug("replay", series.name), notes=notes)]


def _columns() -> list[Column[ReplayRow]]:
    return [
        plain("Ranks", "ranks", lambda row: row.ranks),
        plain("Batch", "batch", lambda row: row.batch),
        plain("Backend", "backend", lambda row: row.backend),
        *(_published(cluster) for cluster in CLUSTERS),
        _ratio("Replayed, fat clock", "replayed_fat", lambda row: row.replayed_fat),
        _ratio("Replayed, light clock", "replayed_light", lambda row: row.replayed_light),
        _ratio("Correct", "correct", lambda row: row.correct),
        plain("Images a rank, replay", "replay_images", lambda row: row.images),
        numeric("Work of a rank", "work", lambda row: row.work, 3),
        _ratio("Replay's convolve, CPU", "convolve_cpu", lambda row: row.convolve_cpu),
        _ratio("CPU at equal core speed", "even_cpu", lambda row: row.even_cpu),
        numeric(
            "Convolve, expected",
            "convolve_expected",
            lambda row: row.work * row.crowding,
            3,
        ),
        _ratio("Replay's convolve, time", "convolve", lambda row: row.convolve),
        _ratio("Time at equal core speed", "even_convolve", lambda row: row.even_convolve),
        hidden("run_ids", lambda row: " ".join(row.run_ids)),
    ]


def _published(cluster: str) -> Column[ReplayRow]:
    def value(row: ReplayRow) -> float | None:
        return row.published[cluster]

    return numeric(f"Published, {cluster}", f"published_{cluster}", value, 3)


def _ratio(header: str, key: str, value: Callable[[ReplayRow], Estimate | None]) -> Column[ReplayRow]:
    return estimated(header, key, value, digits=3)
