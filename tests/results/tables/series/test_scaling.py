from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from results.records.sweep import RecordedSweep
from results.report.contents import console
from results.table import csv_text
from results.tables.series import scaling


def records(sweep: RecordedSweep, index: int = 0) -> list[dict[str, str]]:
    table = scaling.full(sweep, sweep.series[index])
    return list(csv.DictReader(io.StringIO(csv_text(table))))


def test_no_point_is_missing_and_every_row_names_its_runs(full: Any) -> None:
    sweep = full.read()
    for index, series in enumerate(sweep.series):
        rows = records(sweep, index)
        assert [row["run_ids"].split() for row in rows] == [list(point.run_ids) for point in series.points]
    ids = {launch.run_id for launch in sweep.launches}
    assert {run_id for index in (0, 1) for row in records(sweep, index) for run_id in row["run_ids"].split()} == ids


def test_a_run_that_is_not_ok_has_its_outcome_and_no_number(full: Any) -> None:
    sweep = full.read()
    (row,) = (row for row in records(sweep) if row["ranks"] == "16")
    assert row["outcome"] == "skipped"
    empty = ("forward_s", "images_per_s", "gflops_per_s", "relative_speedup", "absolute_speedup", "total_s")
    assert {row[key] for key in empty} == {""}
    table = scaling.full(sweep, sweep.series[0])
    assert any("16 ranks, B = 16: no speedup: its outcome is skipped" in note for note in table.notes)


def test_rates_follow_from_the_forward_time(full: Any) -> None:
    sweep = full.read()
    for row, point in zip(records(sweep), sweep.series[0].points, strict=True):
        if point.timed:
            problem = point.run.problem
            assert float(row["images_per_s"]) == pytest.approx(problem.batch / float(row["forward_s"]))
            flops = 2 * 16 * 3 * 62 * 62 * 3 * 9
            assert float(row["gflops_per_s"]) == pytest.approx(flops / float(row["forward_s"]) / 1e9)
            assert float(row["convolve_s"]) <= float(row["forward_s"]) <= float(row["total_s"])
            assert int(row["peak_rss_all_ranks_bytes"]) == sum(point.peak_bytes.values())


def test_the_absolute_baseline_is_named_and_traceable(full: Any) -> None:
    sweep = full.read()
    table = scaling.full(sweep, sweep.series[0])
    assert sum("T1 is the serial run with the point's own backend" in note for note in table.notes) == 1
    assert sum("T1 is the fastest one-rank point of this problem in the sweep" in note for note in table.notes) == 1
    one_rank = {run_id for point in sweep.points if point.run.ranks == 1 for run_id in point.run_ids}
    for row in records(sweep):
        assert set(row["absolute_speedup_baseline_run_ids"].split()) <= one_rank


def test_a_range_is_called_one(maker: Any) -> None:
    maker.add_strong(launches=2)
    sweep = maker.read()
    assert {row["forward_bounds"] for row in records(sweep)} == {"range"}
    assert " to " in scaling.full(sweep, sweep.series[0]).rows[1][4]


def test_units_stand_in_the_headers(full: Any) -> None:
    sweep = full.read()
    headers = scaling.full(sweep, sweep.series[0]).columns
    assert {"Forward time (s)", "Total time (s)", "Convolve time (s)", "Memory, all ranks (MiB)"} <= set(headers)


def test_the_terminal_gets_strong_and_weak_but_no_size_table(full: Any) -> None:
    for batch in (4, 8):
        full.add("sizes", "size", ranks=2, batch=batch)
    sweep = full.read()
    strong, weak = console([sweep])
    assert strong.title.startswith("Strong scaling: strong")
    assert "Scaled speedup" in weak.columns
    assert len(strong.columns) <= 10
    assert any("GFLOP/s" in column for column in strong.columns)
    assert "8" in {row[0] for row in weak.rows}, "the failed point has its row"


def test_marks_stand_beside_the_outcome(full: Any) -> None:
    sweep = full.read()
    marks = {row["ranks"]: row["marks"] for row in records(sweep)}
    assert (marks["4"], marks["8"]) == ("", "oversubscribed")
