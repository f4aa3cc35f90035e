from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.comparison import sweeps
from results.estimates import AFTER_LOOKS, CONFIDENCE, time_estimate
from results.records.sweep import RecordedSweep, read_sweep
from results.report.methods import paragraphs
from results.report.summary import sentences
from results.scaling.line import lines
from results.scaling.precision import launches_needed, noise_of, precision
from results.tables.across import compare
from results.tables.series import laws, scaling
from workload.record.schema import SCHEMA_VERSION

COUNTS = (1, 2, 3, 4, 8)


def looked(maker: Any, times: int = 2, **values: Any) -> RecordedSweep:
    """The maker's sweep, after so many looks."""
    folder = maker.finish()
    event = {"schema_version": SCHEMA_VERSION, "event": "look", "utc": "2026-01-01T09:00:00+00:00", **values}
    with (folder / "ledger.jsonl").open("a") as file:
        file.write((json.dumps(event) + "\n") * times)
    return read_sweep(folder)


@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=9))
def test_an_interval_after_looks_holds_the_usual_one(times: list[float]) -> None:
    usual, wide = time_estimate(times), time_estimate(times, AFTER_LOOKS)
    assert wide.value == usual.value
    assert wide.low <= usual.low
    assert usual.high <= wide.high
    assert wide.half_width == pytest.approx(wide.high / wide.value - 1.0)


def test_a_sweep_that_looked_has_intervals_of_the_level_that_allows_for_it(maker: Any) -> None:
    maker.noise, maker.slots = 0.02, 16
    maker.add_strong(counts=COUNTS)
    before, after = maker.read(), looked(maker)
    assert {point.confidence for point in before.points} == {CONFIDENCE}
    assert {point.confidence for point in after.points} == {AFTER_LOOKS}
    for one, other in zip(before.points, after.points, strict=True):
        assert one.time().half_width < other.time().half_width
        assert other.time() == time_estimate(other.medians_s(), AFTER_LOOKS)
    (series,), (wider,) = before.series, after.series
    for one, other in zip(scaling.rows(before, series), scaling.rows(after, wider), strict=True):
        if one.point.run.ranks > 1:
            assert one.ratios[0].estimate.half_width < other.ratios[0].estimate.half_width
    fits = [line.laws["Amdahl"].parameters["p"] for found in (series, wider) for line in lines(found)]
    assert fits[0].low > fits[1].low


def test_tables_and_report_say_how_often_a_sweep_looked_and_at_which_level(maker: Any) -> None:
    maker.noise, maker.slots = 0.02, 16
    maker.add_strong(counts=COUNTS)
    told = (
        "after 2 looks. Stopping so makes intervals too narrow: they are taken at 99%, and 95% of them cover the truth"
    )
    assert not any("looks" in line for line in sentences(maker.read()))
    sweep = looked(maker, within=0.001, end="--max-launches 3")
    (series,) = sweep.series
    methods = [line for paragraph in paragraphs(sweep) for line in paragraph]
    for notes in (scaling.full(sweep, series).notes, laws.tables(series)[0].notes, sentences(sweep), methods):
        assert any(told in line for line in notes)
    assert "0 of 5 points lie within 0.1 % of their time." in sentences(sweep)
    assert "What ended it: --max-launches 3." in sentences(sweep)


def test_a_comparison_of_such_sweeps_tests_more_severely(make_maker: Any) -> None:
    makers = [make_maker(f"sweep-{seed}", seed=seed) for seed in range(2)]
    for maker in makers:
        maker.noise = 0.02
        maker.add_strong(counts=(1, 2))
    usual = sweeps.of([makers[0].read()], [makers[1].read()])
    severe = sweeps.of([makers[0].read()], [looked(makers[1])])
    for one, other in zip(usual.pairs, severe.pairs, strict=True):
        assert one.probability == other.probability
        assert (one.confidence, other.confidence) == (CONFIDENCE, AFTER_LOOKS)
        assert one.ratio.half_width < other.ratio.half_width
    assert usual.overall.half_width < severe.overall.half_width
    notes = compare.table([makers[0].read()], [makers[1].read()], severe).notes
    assert any("tests are at 1%" in line for line in notes)
    between = sweeps.of([looked(maker) for maker in makers * 2][:3], [looked(maker) for maker in makers * 2][:3])
    assert {pair.confidence for pair in between.pairs} == {CONFIDENCE}, "a sweep is the unit, not a launch"


def test_points_that_launches_make_no_more_precise_are_left_out(maker: Any) -> None:
    maker.slots = 8
    maker.add_strong(counts=(1, 2))
    maker.add("strong", ranks=4, outcome="timeout")
    maker.add("strong", ranks=16)  # on 8 slots
    maker.add("few", ranks=8)
    found = precision(maker.read().points)
    assert found.widths[0].point.run.ranks == 8
    assert math.isinf(found.widths[0].half_width)
    why = {point.run.ranks: reason for point, reason in found.left_out}
    assert why[4] == "its outcome is timeout"
    assert why[16] == "more ranks on a node than it has slots"
    assert {width.point.run.ranks for width in found.widths} == {1, 2, 8}
    assert [point.run.ranks for point in found.wide(0.5)] == [8]


def test_a_point_on_cores_of_different_speed_gets_no_more_launches_and_the_report_says_so(maker: Any) -> None:
    def slow(record: dict[str, Any]) -> None:
        if record["run"]["launch"] == 0 and record["run"]["ranks"] == 2:
            for repeat in record["repeats"]:
                repeat["ranks"][0]["yardstick_flops_per_s"] = [0.5e9, 0.5e9]

    maker.add_strong(counts=(1, 2), change=slow)
    sweep = looked(maker, within=0.5, end="precise")
    found = precision(sweep.points)
    assert {point.run.ranks for point, _ in found.left_out} == {2}
    assert [width.point.run.ranks for width in found.widths] == [1]
    told = "1 point left out: its launches ran on cores of different speed: the range of its times stands in place of"
    assert any(line.startswith(told) for line in sentences(sweep))


def test_noise_is_that_between_launches_of_one_sweep() -> None:
    rng = random.Random(1)  # noqa: S311  # noise, not secrets
    levels = {f"point {number}": 0.04 for number in range(12)}
    samples = {
        name: [[level * rng.lognormvariate(0.0, sd) for _ in range(5)] for level in (1.0, 3.0)]
        for name, sd in levels.items()
    }
    found = noise_of({**samples, "once": [[1.0], [2.0]]})
    assert statistics.fmean(found[name] for name in levels) == pytest.approx(0.04, rel=0.2)
    assert found["once"] == pytest.approx(0.04, rel=0.2), "that of the others, for lack of its own"
    assert noise_of({"once": [[1.0], [2.0]]}) == {}
    assert noise_of({}) == {}


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("within", [0.01, 0.05, 0.3])
def test_the_launches_that_are_needed_give_that_width(noise: float, within: float) -> None:
    count = launches_needed(noise, within)
    assert count >= 3

    def width(launches: int) -> float:
        logs = [(-1) ** n * noise for n in range(launches - launches % 2)]
        spread = noise / statistics.stdev(logs) if noise else 0.0
        times = [math.exp(spread * log) for log in logs]
        return time_estimate(times, AFTER_LOOKS).half_width

    if count % 2 == 0:
        assert width(count) <= within * (1 + 1e-9)
    if count > 4 and count % 2:
        assert width(count - 1) > within
