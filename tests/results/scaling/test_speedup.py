from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from results.estimates import EXACT, INTERVAL
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.scaling.laws import amdahl, gustafson
from results.scaling.speedup import (
    absolute_speedup,
    conflict,
    fastest_speedup,
    relative_speedup,
    scaled_speedup,
    weak_efficiency,
)

FRACTION = 0.95  # of the maker's laws


def find(sweep: RecordedSweep, ranks: int, movement: str = "scatter-gather", backend: str = "numpy") -> RecordedPoint:
    (point,) = (
        p for p in sweep.points
        if (p.run.ranks, p.run.movement, p.run.backend) == (ranks, movement, backend)
    )  # fmt: skip
    return point


def every(factor: float) -> Callable[[dict[str, Any]], None]:
    """Multiplies every repeat's forward and total time."""

    def change(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat["forward_s"] *= factor
            repeat["total_s"] *= factor

    return change


def test_speedup_is_the_law_the_times_were_made_from(maker: Any) -> None:
    maker.noise = 0.0
    maker.add_strong(counts=(1, 2, 4))
    sweep = maker.read()
    for ranks in (2, 4):
        ratio = relative_speedup(find(sweep, ranks), sweep.points)
        assert ratio.estimate is not None
        assert ratio.estimate.value == pytest.approx(amdahl(FRACTION, ranks))
        assert ratio.estimate.bounds == INTERVAL
        assert ratio.baseline is find(sweep, 1)
    assert relative_speedup(find(sweep, 1), sweep.points).estimate.bounds == EXACT  # type: ignore[union-attr]


def test_scaled_speedup_is_gustafsons_and_efficiency_its_nth(maker: Any) -> None:
    maker.noise = 0.0
    maker.add_weak(counts=(1, 2, 4))
    sweep = maker.read()
    for ranks in (2, 4):
        scaled, efficiency = (f(find(sweep, ranks), sweep.points).estimate for f in (scaled_speedup, weak_efficiency))
        assert scaled is not None
        assert efficiency is not None
        assert scaled.value == pytest.approx(gustafson(FRACTION, ranks))
        assert efficiency.value * ranks == pytest.approx(scaled.value)


def test_absolute_speedup_takes_the_serial_point_of_the_same_backend_even_where_another_is_faster(maker: Any) -> None:
    maker.noise = 0.0
    maker.add_strong(counts=(1, 4))
    maker.add_strong(counts=(1,), movement="serial", change=every(0.5))
    maker.add_strong(counts=(1,), movement="shared", change=every(0.25))
    maker.add_strong(counts=(1,), movement="serial", backend="naive", change=every(0.1))
    sweep = maker.read()
    found = [f(find(sweep, 4), sweep.points) for f in (relative_speedup, absolute_speedup, fastest_speedup)]
    relative, absolute, fastest = found
    assert absolute.baseline is not None
    assert absolute.baseline.variant.label == "serial, numpy"
    assert fastest.baseline is not None
    assert fastest.baseline.variant.label == "serial, naive"
    assert relative.estimate is not None
    assert absolute.estimate is not None
    assert absolute.estimate.value == pytest.approx(relative.estimate.value / 2)


def test_a_gpu_stands_against_the_serial_run_of_simd(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), movement="device", backend="cuda", change=every(0.1))
    maker.add_strong(counts=(1,), movement="serial", backend="naive", change=every(0.2))
    maker.add_strong(counts=(1,), movement="serial", backend="simd")
    sweep = maker.read()
    absolute = absolute_speedup(find(sweep, 2, "device", "cuda"), sweep.points)
    assert absolute.baseline is find(sweep, 1, "serial", "simd")


def test_a_wrong_suspect_or_replica_one_rank_point_is_no_baseline(maker: Any) -> None:
    def suspect(record: dict[str, Any]) -> None:
        every(0.01)(record)
        record["repeats"][0]["ranks"][0]["cpu_s"] = 1e3

    maker.add_strong(counts=(1, 2))
    maker.add_strong(counts=(1,), movement="serial", change=suspect)
    maker.add_strong(counts=(1,), movement="replica", change=every(0.01))
    maker.add_strong(counts=(1,), backend="naive", change=every(0.01), outcome="wrong_answer")
    sweep = maker.read()
    assert fastest_speedup(find(sweep, 2), sweep.points).baseline is find(sweep, 1)
    assert "suspect" in absolute_speedup(find(sweep, 2), sweep.points).why_not


@pytest.mark.parametrize("outcome", ["wrong_answer", "skipped", "out_of_memory"])
def test_without_an_ok_baseline_there_is_no_speedup_but_a_reason(maker: Any, outcome: str) -> None:
    maker.add("strong", ranks=1, outcome=outcome)
    maker.add("strong", ranks=2)
    sweep = maker.read()
    for ratio in (relative_speedup(find(sweep, 2), sweep.points), fastest_speedup(find(sweep, 2), sweep.points)):
        assert ratio.estimate is None
        assert outcome in ratio.why_not


def test_a_missing_one_rank_point_is_said(maker: Any) -> None:
    maker.add("strong", ranks=2)
    sweep = maker.read()
    assert "no one-rank point" in relative_speedup(find(sweep, 2), sweep.points).why_not
    assert "no one-rank point" in fastest_speedup(find(sweep, 2), sweep.points).why_not
    assert "no serial run of this problem with numpy" in absolute_speedup(find(sweep, 2), sweep.points).why_not
    assert "no one-rank point" in weak_efficiency(find(sweep, 2), sweep.points).why_not


@pytest.mark.parametrize(
    ("attribute", "words"), [("boot", "two boots of node1"), ("digest", "two versions of the workload")]
)
def test_no_speedup_crosses_boots_or_workloads(maker: Any, attribute: str, words: str) -> None:
    maker.add("strong", ranks=1)
    other: dict[str, Any] = {}
    if attribute == "boot":
        maker.boot = "boot-2"
    else:
        other = {"workload": maker.run().workload.__class__("convolution", "e" * 64)}
    maker.add("strong", ranks=2, **other)
    sweep = maker.read()
    assert words in conflict(sweep.points)
    for ratio in (relative_speedup(find(sweep, 2), sweep.points), fastest_speedup(find(sweep, 2), sweep.points)):
        assert ratio.estimate is None
        assert words in ratio.why_not


def test_other_nodes_of_a_cluster_are_no_conflict(maker: Any) -> None:
    maker.add("strong", ranks=1)
    maker.node, maker.boot = "node2", "boot-9"
    maker.add("strong", ranks=2)
    sweep = maker.read()
    assert relative_speedup(find(sweep, 2), sweep.points).estimate is not None


def test_a_streamed_point_stands_beside_others_by_total_time(maker: Any) -> None:
    def streamed(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat.update(streamed=True, forward_s=repeat["total_s"])

    maker.noise = 0.0
    maker.add_strong(counts=(1,))
    maker.add_strong(counts=(2,), movement="tree", change=streamed)
    sweep = maker.read()
    point, base = find(sweep, 2, "tree"), find(sweep, 1)
    found = fastest_speedup(point, sweep.points).estimate
    total = base.time("total_s")
    own = point.time("total_s")
    assert found is not None
    assert total is not None
    assert own is not None
    assert found.value == pytest.approx(total.value / own.value)


def test_an_interval_of_two_against_three_launches_is_a_range(maker: Any) -> None:
    maker.add_strong(counts=(1,), launches=3)
    maker.add_strong(counts=(2,), launches=2)
    sweep = maker.read()
    found = relative_speedup(find(sweep, 2), sweep.points).estimate
    assert found is not None
    assert (found.bounds, found.launches) == ("range", 2)
