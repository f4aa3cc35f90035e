"""Movements and grids side by side."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from results.comparison.convolution import rows
from results.figures import series
from results.figures.convolution import figures_of_sweep
from results.report.page import Report, make
from results.tables.convolution.movements import table
from tests.results.conftest import SweepMaker
from workload.domain.grid import Grid


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> SweepMaker:
    """Two movements and two grids on four ranks, two batches, and one run that failed."""
    maker = SweepMaker(tmp_path_factory.mktemp("several") / "sweep")
    for launch in range(2):
        for movement in ("scatter-gather", "shared"):
            for batch in (15, 30):
                maker.add("strong", ranks=4, batch=batch, launch=launch, movement=movement)
        maker.add("rows", ranks=4, batch=15, launch=launch, movement="shared", grid=Grid(row=4))
        maker.add("strong", ranks=1, batch=15, launch=launch, movement="serial")
    maker.add("rows", ranks=4, batch=15, movement="tree", grid=Grid(batch=2, column=2), outcome="out_of_memory")
    maker.finish()
    return maker


@pytest.fixture(scope="module")
def report(several: SweepMaker) -> Report:
    """Without the figures of its series, which take most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(series, "of_series", lambda *_: [])
        return make([several.folder])


def figures(report: Report) -> list[Path]:
    """The data of the report's figures."""
    return list((report.path.parent / "figures").glob("*.csv"))


def test_every_choice_has_its_row_and_serial_has_none(several: SweepMaker) -> None:
    (found,) = table(several.read())
    assert {(row["grid"], row["movement"], row["batch"]) for row in found.records} == {
        ("batch 4", "scatter-gather", 15),
        ("batch 4", "scatter-gather", 30),
        ("batch 4", "shared", 15),
        ("batch 4", "shared", 30),
        ("row 4", "shared", 15),
        ("batch 2 x column 2", "tree", 15),
    }
    failed = next(row for row in found.records if row["movement"] == "tree")
    assert failed["outcome"] == "out_of_memory"
    assert failed["total_s"] is None
    assert failed["moved_bytes"] is None


def test_the_ideal_imbalance_is_that_of_the_blocks(several: SweepMaker) -> None:
    ideals = {row.label: row.ideal_imbalance for row in rows(several.read().points) if row.point.timed}
    assert ideals["shared, numpy, batch 4"] in (pytest.approx(4 / (15 / 4)), pytest.approx(8 / 7.5))
    assert ideals["shared, numpy, row 4"] == pytest.approx(16 / (62 / 4))


def test_moved_bytes_are_counted_once(several: SweepMaker) -> None:
    """A synthetic record's ranks send and receive, together over 3 repeats, what the movement is predicted to move."""
    row = next(row for row in rows(several.read().points) if row.point.timed)
    calls = row.point.timed[0].mpi_calls
    assert row.moved_bytes == pytest.approx(sum(call.bytes for call in calls) / (2 * 3))
    assert row.moved_bytes == pytest.approx(row.predicted_moved_bytes)


def test_every_figure_has_its_values_with_their_runs(several: SweepMaker, report: Report) -> None:
    ids = {launch.run_id for launch in several.read().launches}
    for path in figures(report):
        values = list(csv.DictReader(path.read_text().splitlines()))
        assert values, path.name
        assert all(set(row["run_ids"].split()) <= ids for row in values)
        assert path.with_suffix(".svg").read_text().count("<title>") >= len(values)


def test_figures_are_drawn_and_stand_in_the_report(several: SweepMaker, report: Report) -> None:
    assert {path.stem for path in figures(report)} == {"movements-phases", "movements-bytes", "movements-root-memory"}
    assert "Movements and grids" in report.path.read_text()
    assert (several.folder / "tables/movements.csv").exists()


def test_nothing_to_compare_is_nothing_shown(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4))
    sweep = maker.read()
    assert table(sweep) == []
    assert figures_of_sweep(sweep) == []
