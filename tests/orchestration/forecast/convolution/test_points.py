"""Rank counts and placements of a forecast: pure."""

import pytest

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.forecast.convolution import points as forecast
from tests.orchestration.support import load_study


def inventory(nodes, slots):
    return Inventory.model_validate(
        {
            "schema_version": 1,
            "cluster": "c",
            "profile": "local",
            "default_study": "quick",
            "python": "/venv/bin/python",
            "workdir": "/work",
            "executor": "local",
            "transport": "auto",
            "created_at": "2026-01-01T00:00:00+00:00",
            "nodes": [
                {"name": f"node{n}", "address": f"10.0.0.{n + 1}", "slots": slots, "memory_bytes": 2**32}
                for n in range(nodes)
            ],
        }
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1..64", (1, 2, 4, 8, 16, 32, 64)),
        ("3..20", (3, 4, 8, 16, 20)),
        ("4, 1,2", (1, 2, 4)),
        ("7", (7,)),
        ("5..5", (5,)),
    ],
)
def test_rank_counts(text, expected):
    assert forecast.counts(text) == expected


@pytest.mark.parametrize("text", ["", "0..4", "8..2", "1..", "x", "1,,2", "-1", "1..99999999", "999999"])
def test_what_is_no_list_of_counts_is_refused(text):
    with pytest.raises(Refusal, match="is no list of rank counts: give for example"):
        forecast.counts(text)


def test_a_lone_node_takes_all_ranks_and_several_fill_one_after_the_other():
    assert forecast.placement(8, inventory(1, 2)) == (1, 8)
    assert forecast.placement(8, inventory(2, 3)) == (3, 3)
    assert forecast.placement(2, inventory(2, 3)) == (1, 2)


def test_counts_that_a_series_cannot_take_are_named_and_the_others_kept():
    found, notes = forecast.points(load_study("quick"), inventory(1, 2), (1, 4, 32))
    points = [wanted.point for wanted in found]
    assert {point.ranks for point in points if point.series == "weak"} == {1, 4, 32}
    assert {point.ranks for point in points if point.series == "strong"} == {1, 4}
    assert any("series strong: 32 ranks left out" in note for note in notes)
    assert len(points) == len(set(points))


def test_a_points_options_are_those_that_its_movement_has():
    found, _ = forecast.points(load_study("movements"), inventory(1, 2), (1, 2))
    assert {wanted.point.movement for wanted in found if wanted.options} == {
        "scatter-gather",
        "pipeline",
        "distributed",
    }
    assert {wanted.point.series for wanted in found if wanted.options} == {"in-place", "in-window", "streamed"}
    assert {wanted.repeats for wanted in found} == {3 * (1 + 3)}, "launches of warm-ups and repeats"


def test_the_replay_is_left_out_and_named():
    found, notes = forecast.points(load_study("paper-replica"), inventory(1, 2), (1, 2))
    assert {wanted.point.movement for wanted in found} == {"serial", "scatter-gather"}
    assert any("movement replica, wrong on purpose, is left out" in note for note in notes)


def test_nothing_left_to_forecast_is_refused():
    with pytest.raises(Refusal, match="has no run at these rank counts"):
        forecast.points(load_study("quick", series=("strong",)), inventory(1, 2), (32,))
