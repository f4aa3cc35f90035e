"""The tables of a series and of a sweep beside its scaling tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from results.records.sweep import read_sweep
from results.report.contents import of_series, of_sweep
from results.tables.across import joint
from results.tables.series import memory, profile, share
from results.tables.sweep import check, provenance
from workload.domain.grid import Grid, output_elements
from workload.record.files import read_json, write_json
from workload.record.outcomes import OK


def test_every_record_of_every_table_names_its_runs(full: Any) -> None:
    sweep = full.read()
    ids = {launch.run_id for launch in sweep.launches}
    found = [table for series in sweep.series for table in of_series(sweep, series)]
    found += [table for place, tables in of_sweep(sweep).items() if place != "environment" for table in tables]
    for table in found:
        for record in table.records:
            assert str(record["run_ids"]).split(), table.title
            assert set(str(record["run_ids"]).split()) <= ids, table.title
    names = [table.name for table in found]
    assert len(names) == len(set(names))


def test_memory_has_a_column_a_rank_and_a_dash_where_there_is_none(full: Any) -> None:
    sweep = full.read()
    table = memory.per_rank(sweep.series[0])
    assert table.columns[4:-3] == tuple(f"Rank {rank}" for rank in range(16))
    one = next(row for row in table.rows if row[0] == "1")
    assert one[4] == one[-3]
    assert set(one[5:-3]) == {"—"}


def test_many_ranks_are_summed_up_in_two_columns(maker: Any) -> None:
    maker.add("strong", ranks=17, batch=17)
    table = memory.per_rank(maker.read().series[0])
    assert table.columns[4:7] == ("Rank 0", "Others, smallest", "Others, largest")


def test_shares_have_the_ranges_of_the_grid(maker: Any) -> None:
    maker.add("strong", ranks=4, grid=Grid(batch=2, row=2))
    point = maker.read().points[0]
    table = share.tables(maker.read().series[0])
    assert "Row range" in table.columns
    assert "Column range" not in table.columns
    assert [record["batch_range"] for record in table.records] == ["0:8", "0:8", "8:16", "8:16"]
    assert [record["row_range"] for record in table.records] == ["0:31", "31:62", "0:31", "31:62"]
    elements = [output_elements(point.run.problem, point.run.grid, rank) for rank in range(4)]
    assert [record["output_elements"] for record in table.records] == elements
    assert any("output shape (16, 3, 62, 62)" in note for note in table.notes)


def test_the_profile_is_as_mpip_prints_it(maker: Any) -> None:
    maker.add("strong", ranks=2)
    series = maker.read().series[0]
    table = profile.mpi(series)
    assert table.columns[-4:] == ("Task", "AppTime (s)", "MPITime (s)", "MPI%")
    assert [row[4] for row in table.rows] == ["0", "1", "*"]
    shares = [record["mpi_percent"] for record in table.records]
    assert shares == pytest.approx([100 * 0.3 / 1.1, 100 * 0.2 / 1.1, 100 * 0.25 / 1.1])
    assert "waiting" in table.notes[0]
    calls = profile.calls(series)
    assert [record["call"] for record in calls.records] == ["Gatherv", "Scatterv"] * 2
    assert [record["share_percent"] for record in calls.records] == [50.0] * 4


def test_imbalance_leaves_out_points_without_times(full: Any) -> None:
    series = full.read().series[0]
    table = profile.imbalance(series)
    assert len(table.rows) == sum(bool(point.timed) for point in series.points)
    by_ranks = {record["ranks"]: record for record in table.records if record["movement"] == "scatter-gather"}
    assert by_ranks[4]["load_max_over_mean"] == pytest.approx(4.0)


def test_the_check_shows_the_worst_launch_and_what_was_not_finite(maker: Any) -> None:
    maker.add("strong", ranks=2)
    maker.add("strong", ranks=2, launch=1, change=lambda record: record["check"].update(detectable_abs_error=0.5))
    maker.add(
        "strong",
        ranks=4,
        outcome="wrong_answer",
        change=lambda record: record["check"].update(worst_error_over_tolerance=1.7976931348623157e308, passed=False),
    )
    right, wrong = check.outcomes(maker.read()).rows
    assert right[5] == str(2 * 4)
    assert right[8] == "0.500"
    assert wrong[7] == "not finite"


def test_failed_runs_have_their_reason(full: Any) -> None:
    sweep = full.read()
    table = check.failed(sweep)
    assert len(table.rows) == sum(launch.outcome != OK for launch in sweep.launches) == 2
    assert {row[-1] for row in table.rows} == {"made skipped", "made out_of_memory"}


def test_the_environment_says_what_ran_where(full: Any) -> None:
    inventory = full.finish() / "inventory.json"
    write_json(inventory, {**read_json(inventory), "nodes": [{"name": "node1", "slots": 4, "machine_type": None}]})
    items = dict(row for row in provenance.environment(read_sweep(inventory.parent)).rows)  # rows are pairs of text
    assert "Machine type" not in items
    assert items["Processor"] == "Synthetic CPU"
    assert items["Binding"] == "none"
    assert items["MPI"] == "Open MPI v5.0.11"
    (node,) = provenance.machines(full.read()).rows
    assert node[0] == "node1"


def test_sweeps_side_by_side_have_a_column_each_and_no_ratio(make_maker: Callable[..., Any]) -> None:
    sweeps = []
    for name, counts in (("one", (1, 2)), ("two", (2, 4))):
        maker = make_maker(name)
        maker.add_strong(counts=counts)
        sweeps.append(maker.read())
    table = joint.side_by_side(sweeps)
    assert table.columns[-2:] == ("one (s)", "two (s)")
    assert [(row[0], row[-2] == "—", row[-1] == "—") for row in table.rows] == [
        ("1", False, True),
        ("2", False, False),
        ("4", True, False),
    ]


def _on_two_models(record: dict[str, Any]) -> None:
    """The odd ranks ran on a node of another processor."""
    (one,) = record["machines"]
    placed = one["rank_placement"]
    other = {**one, "node": "node2", "boot_id": "b2", "cpu_model": "Another CPU", "rank_placement": placed[1::2]}
    record["machines"] = [{**one, "rank_placement": placed[::2]}, other]


def test_speedups_and_laws_of_mixed_processors_say_so(maker: Any) -> None:
    maker.slots = 16
    maker.add_strong(counts=(1, 2, 4, 8, 16), change=_on_two_models)
    sweep = maker.read()
    found = {table.name: table for table in of_series(sweep, sweep.series[0])}
    laws = next(table for name, table in found.items() if name.startswith("laws") and table.notes)
    assert any("Mixed processors: the ranks of the points at 2, 4, 8, 16 ranks" in note for note in laws.notes)
    scaling = next(table for name, table in found.items() if "Outcome" in table.columns)
    assert any(note.startswith("Points marked mixed processors: ") for note in scaling.notes)
    assert [record["marks"] for record in scaling.records if record["ranks"] == 2] == ["mixed-processors"]


def test_one_model_of_processor_is_no_word_worth(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4, 8, 16))
    sweep = maker.read()
    assert not [note for table in of_series(sweep, sweep.series[0]) for note in table.notes if "processors" in note]
