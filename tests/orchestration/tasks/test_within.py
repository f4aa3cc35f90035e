"""The limits of `--within`, as a person types them."""

import pytest

from orchestration.clusters.inventory import Price
from orchestration.tasks.within import goal_of
from tests.orchestration.support import make_inventory

PRICED = make_inventory(2).model_copy(
    update={"price": Price(amount_per_hour=2.0, currency="USD", date="2026-01-01")}  # half an hour costs 1
)


def test_without_the_flag_there_is_no_goal():
    assert goal_of(PRICED, "", "", "", "") is None


def test_the_goal_is_a_share_and_the_limits_are_ours_where_none_is_given():
    goal = goal_of(PRICED, "7.5%", "", "", "")
    assert (goal.within, goal.most_launches, goal.most_s) == (0.075, 30, None)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0)])
def test_a_time_has_a_unit(text, seconds):
    goal = goal_of(PRICED, "5", "12", text, "")
    assert (goal.most_launches, goal.most_s, goal.time_limit) == (12, seconds, f"--max-time {text}")


@pytest.mark.parametrize(
    ("time", "cost", "seconds", "limit"),
    [
        ("", "1", 1800.0, "--max-cost 1"),
        ("20m", "1", 1200.0, "--max-time 20m"),
        ("2h", "0.5", 900.0, "--max-cost 0.5"),
    ],
)
def test_of_time_and_cost_the_one_that_ends_first_counts(time, cost, seconds, limit):
    goal = goal_of(PRICED, "5%", "", time, cost)
    assert (goal.most_s, goal.time_limit) == (pytest.approx(seconds), limit)
