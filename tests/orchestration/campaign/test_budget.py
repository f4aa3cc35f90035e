"""What may still be spent, by the hour and until a cluster ends by itself; what taking it down costs is kept back."""

import math
from pathlib import Path

import pytest

from orchestration.campaign.budget import DOWN_S, Budget, accrued, later
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


def test_work_ends_early_enough_to_take_the_cluster_down():
    budget = Budget(6.0, "USD")
    assert budget.ends_at(campaign(), SIX, False, NOON) == "2026-11-30T13:00:00Z"
    assert budget.ends_at(campaign(), SIX, True, NOON) == later("2026-11-30T13:00:00Z", -DOWN_S)
    assert budget.ends_at(campaign(spent=7.0), SIX, True, NOON) == NOON
    assert budget.ends_at(campaign(), None, True, NOON) is None
    assert budget.ends_at(campaign(), {**SIX, "amount_per_hour": 0.0}, True, NOON) is None
    assert Budget(None, None).ends_at(campaign(), SIX, True, NOON) is None


def test_a_cluster_needs_its_start_and_its_end_paid():
    quarter = made(shortest_s=900.0)
    least = (900.0 + DOWN_S) / 3600 * 6.0
    assert Budget(least + 0.01, "USD").too_small(None, "a", quarter, NOON) == ""
    assert f"take {least:.2f} at 6.000 an hour" in Budget(least, "USD").too_small(None, "a", quarter, NOON)
    assert Budget(0.1, "USD").too_small(campaign(spent=5.0), "a", ClusterOffer(True, 1), NOON) == ""
    assert "0.00 USD are left" in Budget(1.0, "USD").too_small(campaign(spent=5.0), "a", quarter, NOON)
