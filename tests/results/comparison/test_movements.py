"""Movements and grids side by side."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from results.comparison.movements import rows
from results.figures.convolution import figures_of_sweep
from results.report.page import make
from results.tables.convolution.movements import table
from workload.domain.grid import Grid


@pytest.fixture
def several(maker: Any) -> Any:
    """Two movements and two grids on four ranks, two batches, and one run that failed."""
    for launch in range(2):
        for movement in ("scatter-gather", "shared"):
            for batch in (15, 30):
                maker.add("strong", ranks=4, batch=batch, launch=launch, movement=movement)
        maker.add("rows", ranks=4, batch=15, launch=launch, movement="shared", grid=Grid(row=4))
        maker.add("strong", ranks=1, batch=15, launch=launch, movement="serial")
    maker.add("rows", ranks=4, batch=15, movement="tree", grid=Grid(batch=2, column=2), outcome="out_of_memory")
    return maker


def test_every_choice_has_its_row_and_serial_has_none(several: Any) -> None:
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


def test_the_ideal_imbalance_is_that_of_the_blocks(several: Any) -> None:
    ideals = {row.label: row.ideal_imbalance for row in rows(several.read().points) if row.point.timed}
    assert ideals["shared, numpy, batch 4"] in (pytest.approx(4 / (15 / 4)), pytest.approx(8 / 7.5))
    assert ideals["shared, numpy, row 4"] == pytest.approx(16 / (62 / 4))


def test_moved_bytes_are_counted_once(several: Any) -> None:
    """A synthetic record's ranks send and receive, together over 3 repeats, what the movement is predicted to move."""
    row = next(row for row in rows(several.read().points) if row.point.timed)
    calls = row.point.timed[0].mpi_calls
    assert row.moved_bytes == pytest.approx(sum(call.bytes for call in calls) / (2 * 3))
    assert row.moved_bytes == pytest.approx(row.predicted_moved_bytes)


def test_every_figure_has_its_values_with_their_runs(several: Any) -> None:
    sweep = several.read()
    ids = {launch.run_id for launch in sweep.launches}
    for drawing in figures_of_sweep(sweep):
        values = list(csv.DictReader(io.StringIO(drawing.data)))
        assert values, drawing.name
        assert all(set(row["run_ids"].split()) <= ids for row in values)
        assert drawing.svg.count(b"<title>") >= len(values)
    make([several.folder])
    for name in ("phases", "bytes", "root-memory"):
        assert (several.folder / f"figures/movements-{name}.csv").exists()


def test_figures_are_drawn_and_stand_in_the_report(several: Any) -> None:
    names = {drawing.name for drawing in figures_of_sweep(several.read())}
    assert names == {"movements-phases", "movements-bytes", "movements-root-memory"}
    page = make([several.folder]).path.read_text()
    assert "Movements and grids" in page
    assert (several.folder / "tables/movements.csv").exists()


def test_nothing_to_compare_is_nothing_shown(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4))
    sweep = maker.read()
    assert table(sweep) == []
    assert figures_of_sweep(sweep) == []
