"""Money to lifetime, outputs to the offer, quota that is too small."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestration.errors import Refusal
from orchestration.operator import Person
from orchestration.provision.cloud import offer
from orchestration.provision.cloud.clients.compute import Quota
from orchestration.provision.cloud.clients.events import Change
from tests.orchestration.provision.cloud import plays

OFFER = offer.parse_offer(plays.outputs())


@given(st.floats(offer.SHORTEST_S / 3600 + 0.02, offer.LONGEST_S / 3600), st.floats(1e-3, 1e3))
def test_a_budget_is_never_passed_and_used_to_the_minute(hours, per_hour):
    price = OFFER.price.model_copy(update={"amount_per_hour": per_hour})
    budget = hours * per_hour
    seconds = offer.lifetime_for(budget, price)
    assert seconds % 60 == 0
    assert per_hour * seconds / 3600 <= budget * (1 + 1e-12)
    assert per_hour * (seconds + 60) / 3600 > budget * (1 - 1e-12)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (0, "--budget 0 is no amount of money"),
        (-1, "--budget -1 is no amount of money"),
        (float("nan"), "--budget nan is no amount of money"),
        (float("inf"), "--budget inf is no amount of money"),
        (0.01, r"--budget 0.01 USD buys 1 min .* give at least 0.13"),
        (100, r"--budget 100 USD buys 200 h, .* longer than 168 h: give at most 84.00"),
    ],
)
def test_a_budget_that_is_no_use(budget, words):
    with pytest.raises(Refusal, match=words):
        offer.lifetime_for(budget, OFFER.price)


def test_no_price_no_lifetime():
    with pytest.raises(Refusal, match="price is 0"):
        offer.lifetime_for(5, OFFER.price.model_copy(update={"amount_per_hour": 0.0}))


@pytest.mark.parametrize("key", ["lifetime_s", "price", "quota", "access", "instances"])
def test_outputs_of_another_program(key):
    outputs = plays.outputs()
    del outputs[key]
    with pytest.raises(Refusal, match=f"key {key} is missing"):
        offer.parse_offer(outputs)


@given(st.integers(1, 10**4), st.integers(0, 10**4), st.integers(0, 10**4))
def test_short_is_what_does_not_fit(needed, limit, usage):
    room = offer.Room("CPUS", needed, Quota(limit, usage))
    assert room.short == (usage + needed > limit)
    assert not offer.Room("CPUS", needed, None).short


def test_where_google_counts_one_quota_or_another_neither_refuses():
    outputs = plays.outputs()
    outputs["quota"].append({"metric": "PREEMPTIBLE_CPUS", "needed": 4, "instead_of": "CPUS"})
    spot = offer.parse_offer(outputs)
    found = offer.rooms(spot, {metric: Quota(0, 0) for metric in ("CPUS", "PREEMPTIBLE_CPUS")})
    assert [(room.metric, room.remark) for room in found] == [
        ("CPUS", "this or the other"),
        ("IN_USE_ADDRESSES", "unknown"),
        ("PREEMPTIBLE_CPUS", "this or the other"),
    ]
    offer.check_room(spot, found)
    with pytest.raises(Refusal, match=r"CPUS: 4 needed, 0 of 0 in use.*ask Google for that much"):
        offer.check_room(OFFER, offer.rooms(OFFER, {"CPUS": Quota(0, 0)}))


def test_nodes_stand_in_the_order_of_their_numbers():
    changes = [Change("create", "gcp:compute/instance:Instance", f"node{n}") for n in (8, 1, 10, 3, 2, 7)]
    console = Console(file=io.StringIO(), width=200)
    console.print(offer.tables(OFFER, changes, [], "")[0])
    assert "node1 ... node10" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 min"), (60, "1 min"), (3600, "1 h"), (12000, "3 h 20 min"), (59, "1 min")]
)
def test_durations(seconds, words):
    assert offer.duration(seconds) == words


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_number_can_be_read_on_a_narrow_terminal(columns):
    said = io.StringIO()
    person = Person(Console(file=said, width=columns), yes=True, ask=None)
    kind = "gcp:compute/instance:Instance"
    changes = [Change("create", kind, f"a-long-name-of-a-node-{number}") for number in range(8)]
    person.show(offer.tables(OFFER, changes, offer.rooms(OFFER, {}), "no access"))
    text = said.getvalue()
    assert not [line for line in text.splitlines() if len(line) > columns or "…" in line]
    for item in OFFER.price.items:
        assert f"{item.amount_per_hour:.4f}" in text
    assert all(word in text for need in OFFER.quota for word in (need.metric, f"{need.needed:g}"))
    assert "the project's own cannot be read: no access" in text


@pytest.mark.parametrize(("utc", "old"), [("2027-07-30T23:00:00+00:00", False), ("2027-08-01T00:00:00+00:00", True)])
def test_a_price_older_than_a_year_is_named(utc, old):
    line = offer.aged(OFFER.price, utc)
    assert ("machine e2-medium (2026-07-30)" in line) == old
    assert bool(line) == old


def test_a_price_without_a_date_is_none_of_ours():
    outputs = plays.outputs()
    outputs["price"]["items"][0]["date"] = "soon"
    with pytest.raises(Refusal, match=r"price\.items\[0\]\.date = 'soon' is wrong"):
        offer.parse_offer(outputs)
