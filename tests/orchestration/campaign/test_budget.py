"""What may still be spent, by the hour and until a cluster ends by itself; what taking it down costs is kept back."""

import math
from pathlib import Path

import pytest

from orchestration.campaign.budget import DOWN_S, Budget, accrued, ends_at, later, share
from orchestration.clusters.provider import ClusterOffer
from tests.orchestration.campaign.stand_ins import made
from workload.record.campaign import CampaignCluster, RecordedCampaign

NOON, LATER = "2026-11-30T12:00:00Z", "2026-11-30T13:30:00Z"
SIX = {"amount_per_hour": 6.0, "currency": "USD", "date": "2026-11-01"}


def campaign(**cluster):
    return RecordedCampaign(Path("/x"), "quick", "d", "w", (CampaignCluster("a", **cluster),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"since": NOON, "price": SIX}, 9.0),
        ({"since": NOON, "price": SIX, "expires_at": "2026-11-30T12:30:00Z"}, 3.0),
        ({"since": NOON, "price": SIX, "expires_at": "2026-11-30T18:00:00Z"}, 9.0),
        ({"since": NOON, "price": None}, 0.0),
        ({"since": None, "price": SIX}, 0.0),
        ({"since": "2026-11-30T14:00:00Z", "price": SIX}, 0.0),  # a clock that was set back
    ],
)
def test_a_cluster_costs_by_the_hour_until_it_ends(changes, expected):
    assert accrued(CampaignCluster("a", **changes), LATER) == pytest.approx(expected)


def test_what_is_left_counts_what_is_up():
    budget = Budget(20.0, "USD")
    assert budget.left(None, LATER) == 20.0
    assert budget.left(campaign(spent=4.0), LATER) == 16.0
    assert budget.left(campaign(spent=4.0, since=NOON, price=SIX), LATER) == pytest.approx(7.0)
    assert math.isinf(Budget(None, None).left(campaign(spent=4.0), LATER))


def test_what_is_held_back_for_clusters_at_work_is_not_left():
    budget, at_work = Budget(20.0, "USD"), campaign(spent=4.0, since=NOON, price=SIX)  # 9 so far
    assert budget.left(at_work, LATER, {"a": 12.0}) == pytest.approx(4.0)
    assert budget.left(at_work, LATER, {"a": 5.0}) == pytest.approx(7.0)  # it cost more than it might


def test_those_at_work_at_once_are_paid_for_equally_long():
    dear, cheap, free = made(30.0), made(10.0), ClusterOffer(True, 1)
    assert share(8.0, dear, [cheap]) == pytest.approx(6.0)
    assert share(8.0, cheap, [dear]) == pytest.approx(2.0)
    assert share(8.0, cheap, [free]) == share(8.0, cheap, []) == pytest.approx(8.0)
    assert share(8.0, free, [cheap]) == share(math.inf, free, []) == 0.0


def test_work_ends_early_enough_to_take_the_cluster_down():
    assert ends_at(6.0, SIX, False, NOON) == "2026-11-30T13:00:00Z"
    assert ends_at(6.0, SIX, True, NOON) == later("2026-11-30T13:00:00Z", -DOWN_S)
    assert ends_at(-1.0, SIX, True, NOON) == NOON
    assert ends_at(6.0, None, True, NOON) is None
    assert ends_at(6.0, {**SIX, "amount_per_hour": 0.0}, True, NOON) is None
    assert ends_at(math.inf, SIX, True, NOON) is None


def test_a_cluster_needs_its_start_and_its_end_paid():
    quarter, budget = made(shortest_s=900.0), Budget(10.0, "USD")
    least = (900.0 + DOWN_S) / 3600 * 6.0
    assert budget.too_small(least + 0.01, "a", quarter) == ""
    assert f"take {least:.2f} at 6.000 an hour" in budget.too_small(least, "a", quarter)
    assert budget.too_small(-4.9, "a", ClusterOffer(True, 1)) == ""
    assert "0.00 USD are left" in budget.too_small(-4.0, "a", quarter)
