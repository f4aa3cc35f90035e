from __future__ import annotations

import statistics
from typing import Any

import pytest

from results.records.point import RecordedPoint, ratio_of
from workload.domain.grid import Grid
from workload.movement.descriptions.footprint import predict


def only(maker: Any) -> RecordedPoint:
    (point,) = maker.read().points
    return point


def test_a_points_time_is_the_geometric_mean_of_its_launches_medians(maker: Any) -> None:
    maker.add_strong(counts=(2,), launches=4)
    point = only(maker)
    medians = [sorted(repeat.forward_s for repeat in launch.repeats)[1] for launch in point.launches]
    time = point.time()
    assert time is not None
    assert time.value == pytest.approx(statistics.geometric_mean(medians))
    assert [launch.run.launch for launch in point.launches] == [0, 1, 2, 3]


def test_a_suspect_launch_is_left_out_while_others_count(maker: Any) -> None:
    def suspect(record: dict[str, Any]) -> None:
        record["repeats"][0]["ranks"][0]["cpu_s"] = 1e3

    maker.add_strong(counts=(2,), launches=2)
    maker.add("strong", ranks=2, launch=2, change=suspect)
    point = only(maker)
    assert [launch.run.launch for launch in point.timed] == [0, 1]
    assert point.marks == {"suspect"}
    assert point.why_no_speedup == ""


def test_a_point_of_suspect_launches_has_a_time_but_no_speedup(maker: Any) -> None:
    def suspect(record: dict[str, Any]) -> None:
        record["repeats"][0]["ranks"][0]["cpu_s"] = 1e3

    maker.add("strong", ranks=2, change=suspect)
    point = only(maker)
    assert point.time() is not None
    assert "suspect" in point.why_no_speedup


def test_outcomes_are_counted_and_failures_have_no_time(maker: Any) -> None:
    maker.add("strong", ranks=2)
    maker.add("strong", ranks=2, launch=1, outcome="timeout")
    maker.add("strong", ranks=2, launch=2, outcome="wrong_answer")
    point = only(maker)
    assert point.outcome == "1 ok, 1 timeout, 1 wrong_answer"
    assert len(point.timed) == 1


def test_a_wrong_answer_has_no_time(maker: Any) -> None:
    maker.add("strong", ranks=2, outcome="wrong_answer")
    point = only(maker)
    assert point.time() is None
    assert point.why_no_speedup == "its outcome is wrong_answer"
    assert point.imbalance == dict.fromkeys(point.imbalance)


def test_memory_is_per_rank_and_unknown_where_any_rank_is(maker: Any) -> None:
    maker.add("strong", ranks=3)
    point = only(maker)
    expected = predict(point.run.problem, Grid(batch=3), "scatter-gather").peak_bytes
    assert tuple(point.peak_bytes.values()) == expected

    def unknown(record: dict[str, Any]) -> None:
        record["memory"][1]["peak_rss_bytes"] = None

    maker.add("strong", ranks=3, launch=1, change=unknown)
    assert only(maker).peak_bytes == {}


def test_parts_add_up_and_imbalance_is_maximum_over_mean(maker: Any) -> None:
    maker.noise = 0.0
    maker.add("strong", ranks=4)
    point = only(maker)
    repeat = point.launches[0].repeats[0]
    for rank, parts in point.parts_s.items():
        assert sum(parts.values()) == pytest.approx(repeat.ranks[rank].app_s)
    imbalance = point.imbalance
    assert imbalance["load"] == pytest.approx(4.0), "only the root loads"
    assert imbalance["convolve"] == pytest.approx(0.575 / 0.5375)
    assert imbalance["save"] is None, "nobody saves"


def test_launches_on_cores_of_different_speed_have_a_range_and_a_mark(maker: Any) -> None:
    def slow(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat["ranks"][0]["yardstick_flops_per_s"] = [0.7e9, 0.66e9]

    maker.add_strong(counts=(1, 2))
    maker.add("strong", ranks=2, launch=3, change=slow)
    one, two = maker.read().points
    assert one.time().bounds == "interval"
    assert two.marks == {"cores differ"}
    assert (two.time().low, two.time().high) == (min(two.medians_s()), max(two.medians_s()))
    assert {estimate.bounds for estimate in (two.time(), ratio_of(one, two), ratio_of(two, one))} == {"range"}


def test_two_readings_that_contradict_each_other_say_nothing(maker: Any) -> None:
    def torn(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat["ranks"][0]["yardstick_flops_per_s"] = [0.5e9, 1e9]

    maker.add_strong(counts=(1,))
    maker.add("strong", ranks=1, launch=3, change=torn)
    (point,) = maker.read().points
    assert point.launches[-1].core_speeds == ()
    assert not point.cores_differ
