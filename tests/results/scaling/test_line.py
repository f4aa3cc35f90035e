from __future__ import annotations

from typing import Any

import pytest

from results.scaling.fits import AMDAHL, GUSTAFSON
from results.scaling.line import lines
from results.tables.series import laws

DENSE = tuple(range(1, 9))
FRACTION = 0.95  # of conftest's synthetic machine
SLOTS = 8


def dense(maker: Any, **changes: Any) -> Any:
    maker.slots = SLOTS
    maker.add_strong(counts=DENSE, **changes)
    return maker.read()


def test_laws_are_fitted_to_all_launches_of_each_line(maker: Any) -> None:
    maker.slots = SLOTS
    maker.add_strong(counts=DENSE)
    maker.add_strong(counts=(1,), movement="serial")
    maker.add_weak(counts=DENSE)
    strong, weak = maker.read().series
    (line,) = lines(strong)
    assert set(line.laws) == {"Amdahl", "USL"}
    assert line.laws["Amdahl"].launches == 3 * len(DENSE)
    found = line.laws["Amdahl"].parameters["p"]
    assert found.low <= FRACTION <= found.high
    (line,) = lines(weak)
    found = line.laws["Gustafson"].parameters["p"]
    assert found.low <= FRACTION <= found.high


def test_p_is_measured_as_convolve_over_each_clock_on_one_rank(maker: Any) -> None:
    line = lines(dense(maker).series[0])[0]
    for clock, p in (("total_s", 0.5 / 1.1), ("forward_s", 0.5)):  # as conftest makes them
        fraction = line.parallel_fraction(clock)
        assert fraction is not None
        assert fraction.value == pytest.approx(p, rel=1e-6)


def test_too_few_rank_counts_are_said_and_nothing_is_fitted(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4))
    (line,) = lines(maker.read().series[0])
    assert line.laws == {}
    assert "3 distinct rank counts are too few to fit Amdahl" in line.why_not["Amdahl"]
    table = laws.tables(maker.read().series[0])[0]
    remarks = [record["remark"] for record in table.records]
    assert any(str(remark).startswith("not fitted: 3 distinct rank counts are too few") for remark in remarks)


def test_oversubscribed_points_enter_no_fit(maker: Any) -> None:
    maker.slots = 6
    maker.add_strong(counts=DENSE)
    (line,) = lines(maker.read().series[0])
    assert [point.run.ranks for point in line.fitted] == [1, 2, 3, 4, 5, 6]
    shown = {one.point.run.ranks: one for one in line.each()}
    assert shown[8].efficiency is not None
    assert shown[8].residuals == {}
    assert set(shown[6].residuals) == {"Amdahl", "USL"}


def test_two_versions_of_the_workload_are_not_fitted_together(maker: Any) -> None:
    maker.slots = SLOTS
    maker.add_strong(counts=DENSE[:-1])
    from workload.record.run import Workload

    maker.add_strong(counts=DENSE[-1:], workload=Workload("convolution", "e" * 64))
    (line,) = lines(maker.read().series[0])
    assert line.laws == {}
    assert "two versions of the workload" in line.why_not["Amdahl"]


def test_points_show_efficiency_and_serial_fraction(maker: Any) -> None:
    (line,) = lines(dense(maker).series[0])
    shown = {one.point.run.ranks: one for one in line.each()}
    assert shown[1].serial_fraction is None
    for ranks in (4, 8):
        fraction, efficiency = shown[ranks].serial_fraction, shown[ranks].efficiency
        assert fraction is not None
        assert efficiency is not None
        assert fraction.low <= fraction.value <= fraction.high
        assert fraction.value == pytest.approx((1 / (efficiency.value * ranks) - 1 / ranks) / (1 - 1 / ranks))
        assert efficiency.value == pytest.approx(1 / (ranks * (1 - FRACTION) + FRACTION), rel=0.1)


def test_the_tables_name_every_parameter_with_its_runs(maker: Any) -> None:
    sweep = dense(maker)
    parameters, points = laws.tables(sweep.series[0])
    names = {(record["law"], record["parameter"]) for record in parameters.records}
    assert {("Amdahl", "p"), ("Amdahl", "serial fraction"), ("USL", "contention"), ("USL", "coherency")} <= names
    assert any(row[3] == "p" and row[4] == "0.900" for row in parameters.rows), "the paper's a-priori value"
    assert {len(str(record["run_ids"]).split()) for record in parameters.records} == {3 * len(DENSE)}
    assert "Residual, Amdahl (%)" in points.columns
    assert len(points.rows) == len(DENSE)
    assert AMDAHL.scaling == "strong"
    assert GUSTAFSON.scaling == "weak"


def test_a_replay_is_no_line(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), movement="replica")
    assert lines(maker.read().series[0]) == []
    assert laws.tables(maker.read().series[0]) == []
