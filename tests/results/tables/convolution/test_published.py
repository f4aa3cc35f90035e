from __future__ import annotations

import statistics
from typing import Any

import pytest

from results.tables.convolution import published
from workload.domain.problem import Problem

PAPERS = Problem(80, 3, 3, 1024, 1024, 3)


def test_killed_runs_stand_beside_our_outcome_and_missing_ones_are_said(maker: Any) -> None:
    maker.add_strong("fat-strong", counts=(1, 2), problem=PAPERS)
    maker.add("fat-strong", ranks=16, problem=PAPERS, outcome="out_of_memory")
    sweep = maker.read()
    (table,) = published.tables(sweep, sweep.series[0])
    rows = {row[0]: row for row in table.rows}
    assert list(rows) == ["1", "2", "4", "8", "16"]
    assert (rows["16"][3], rows["16"][-1]) == ("-killed process-", "out_of_memory")
    assert (rows["4"][3], rows["4"][-1]) == ("3.040", "not run")
    assert rows["1"][3] == "44.02"
    (cause,) = (note for note in table.notes if "killed run" in note)
    assert "at B = 80 has 4.0 GB of arrays in all ranks; ours ended as out_of_memory" in cause
    assert cause.endswith("its cause is open.")


@pytest.mark.parametrize(("cluster", "batch"), [("fat", 80), ("light", 40)])
def test_each_cluster_has_the_clock_nearest_to_its_own(maker: Any, cluster: str, batch: int) -> None:
    maker.add_strong(f"{cluster}-strong", counts=(2,), problem=PAPERS, batch=batch)
    sweep = maker.read()
    (table,) = published.tables(sweep, sweep.series[0])
    (point,) = sweep.points
    expected = []
    for launch in point.launches:
        of_repeats = [
            max(rank.parts_s["convolve"] + rank.parts_s["collect"] for rank in repeat.ranks)
            if cluster == "fat"
            else repeat.forward_s
            for repeat in launch.repeats
        ]
        expected.append(sorted(of_repeats)[1])
    (record,) = (record for record in table.records if record["ranks"] == 2)
    assert record["measured_s"] == pytest.approx(statistics.geometric_mean(expected))
    assert record["run_ids"] == " ".join(point.run_ids)


def test_tables_2_and_3_stand_beside_four_ranks_and_twenty_images(maker: Any) -> None:
    maker.add("local", ranks=4, problem=PAPERS, batch=20)
    sweep = maker.read()
    (table,) = published.tables(sweep, sweep.series[0])
    assert [row[3:5] for row in table.rows] == [("0:1", "0:5"), ("1:2", "5:10"), ("2:3", "10:15"), ("3:4", "15:20")]
    assert [record["published_mpi_percent"] for record in table.records] == [23.17, 99.79, 99.8, 99.8]
    shares = [record["mpi_percent"] for record in table.records]
    assert shares == pytest.approx([100 * 0.3 / 1.1, *[100 * 0.2 / 1.1] * 3])


def test_another_problem_has_no_such_table(full: Any) -> None:
    sweep = full.read()
    assert [published.tables(sweep, series) for series in sweep.series] == [[], []]


def test_the_batch_that_the_paper_could_not_run_is_told(maker: Any) -> None:
    maker.add("light-strong-80", ranks=1, problem=PAPERS, outcome="skipped")
    sweep = maker.read()
    (table,) = published.tables(sweep, sweep.series[0])
    assert any("impossible on the light cluster" in note for note in table.notes)
    assert table.rows[0][-1] == "skipped"
