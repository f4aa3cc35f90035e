from __future__ import annotations

from typing import Any

import pytest

from results.audit.paper import published
from workload.domain.problem import Problem

PAPERS = Problem(80, 3, 3, 1024, 1024, 3)


def test_the_published_data_are_whole() -> None:
    runs = published.runs()
    assert len(runs) == 18
    assert {(run.cluster, run.scaling) for run in runs} == {
        (c, s) for c in published.CLUSTERS for s in ("strong", "weak")
    }
    killed = [run for run in runs if run.status == "killed"]
    assert [(run.cluster, run.processes, run.batch, run.time_s) for run in killed] == [
        ("fat", 16, 80, None),
        ("fat", 16, 160, None),
    ]
    strong = {run.processes: run.time_s for run in runs if (run.cluster, run.scaling) == ("fat", "strong")}
    assert strong == {1: 44.02, 2: 11.1, 4: 3.04, 8: 0.88, 16: None}


def test_only_the_papers_sizes_are_the_papers() -> None:
    assert published.is_papers(PAPERS)
    assert not published.is_papers(Problem(80, 3, 3, 1024, 1024, 5))


@pytest.mark.parametrize(
    ("series", "profile", "batch", "clusters"),
    [
        ("fat-strong", "local", 80, {"fat"}),
        ("light_weak", "local", 20, {"light"}),
        ("strong", "fat", 80, {"fat"}),
        ("weak", "local", 20, {"fat", "light"}),
        ("fat-strong", "local", 16, set()),
        ("flat-strong", "x", 80, {"fat", "light"}),
    ],
)
def test_a_series_stands_beside_the_clusters_it_repeats(
    maker: Any, series: str, profile: str, batch: int, clusters: set[str]
) -> None:
    maker.profile = profile
    maker.add(series, "weak" if "weak" in series else "strong", ranks=2, problem=PAPERS, batch=batch)
    sweep = maker.read()
    found = published.beside(sweep, sweep.series[0])
    assert {run.cluster for run in found} == clusters


def test_another_problem_stands_beside_nothing(full: Any) -> None:
    sweep = full.read()
    assert [published.beside(sweep, series) for series in sweep.series] == [(), ()]


def test_the_batch_that_the_paper_could_not_run_gets_rows_of_its_own(maker: Any) -> None:
    for ranks in (1, 2):
        maker.add("light-strong-80", ranks=ranks, problem=PAPERS, outcome="skipped")
    sweep = maker.read()
    found = published.beside(sweep, sweep.series[0])
    assert [(run.processes, run.batch, run.time_s, run.status) for run in found] == [
        (1, 80, None, "impossible"),
        (2, 80, None, "impossible"),
    ]
