"""The paper's published numbers (results/published), and which of them a measured series repeats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from results.records.kinds import CONVOLUTION
from results.records.sweep import SIZE, STRONG, RecordedSeries, RecordedSweep
from workload.domain.problem import Problem
from workload.record.files import read_json

PUBLISHED = Path(__file__).parents[2] / "published" / "tables.json"
CLUSTERS = ("fat", "light")
KILLED, IMPOSSIBLE = "killed", "impossible"
# What the paper's programs time; the nearest of our clocks, and its name
CLOCKS = {
    "fat": ("convolution, barrier and allgather", "convolve_collect_s", "convolve and collect"),
    "light": ("broadcast to gather", "forward_s", "forward"),
}


@dataclass(frozen=True)
class PublishedRun:
    """A row of tables 4 to 11. Times in seconds, memory in MiB; None if the paper prints none."""

    cluster: str
    scaling: str
    table: str
    processes: int
    batch: int
    time_s: float | None
    memory_total_mib: float | None
    status: str


@cache
def document() -> Mapping[str, Any]:
    return read_json(PUBLISHED)


@cache
def runs() -> tuple[PublishedRun, ...]:
    return tuple(
        PublishedRun(
            row["cluster"],
            row["scaling"],
            row["table"],
            row["processes"],
            row["batch"],
            row["time_s"],
            row["memory_total_mb"],
            row["status"],
        )
        for row in document()["runs"]
    )


def is_papers(problem: Problem) -> bool:
    """True if one image, the filters and the kernel are the paper's."""
    sizes = document()["problem"]
    return all(getattr(problem, name) == size for name, size in sizes.items() if name != "dtype")


def beside(sweep: RecordedSweep, series: RecordedSeries) -> tuple[PublishedRun, ...]:
    """The published runs that this series repeats, by cluster and kind of scaling; empty if it repeats none.

    If the paper says that it could not run this batch, there is a row saying so for each rank count.
    """
    if series.experiment is not CONVOLUTION or series.scaling == SIZE or not series.points:
        return ()
    if not is_papers(series.points[0].convolution.problem):
        return ()
    named = _named(series.name) or _named(sweep.profile)
    if impossible := _impossible(series, named):
        return impossible
    clusters = named or CLUSTERS
    found = tuple(run for run in runs() if run.scaling == series.scaling and run.cluster in clusters)
    sizes = {(point.run.ranks, point.convolution.problem.batch) for point in series.points}
    return found if any((run.processes, run.batch) in sizes for run in found) else ()


def _impossible(series: RecordedSeries, clusters: tuple[str, ...]) -> tuple[PublishedRun, ...]:
    """One row for each point that the paper says its cluster could not run."""
    claim = impossible_claim()
    if series.scaling != STRONG or "light" not in clusters:
        return ()
    sizes = [(point.run.ranks, point.convolution.problem.batch) for point in series.points]
    return tuple(
        PublishedRun("light", STRONG, f"Section {claim['section']}", ranks, batch, None, None, IMPOSSIBLE)
        for ranks, batch in dict.fromkeys(sizes)
        if batch == claim["batch_impossible"]
    )


def impossible_claim() -> Mapping[str, Any]:
    """What the paper says it could not run, and why."""
    claim: Mapping[str, Any] = next(item for item in document()["claims"] if "batch_impossible" in item)
    return claim


def _named(text: str) -> tuple[str, ...]:
    words = re.split(r"[^a-z]+", text.lower())
    return tuple(cluster for cluster in CLUSTERS if cluster in words)
