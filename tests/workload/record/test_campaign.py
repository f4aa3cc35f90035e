"""A campaign's ledger says how each cluster stands, what was spent on it, and what may still bill."""

import json

import pytest

from workload.record.campaign import LEDGER, read_campaign
from workload.record.schema import SchemaError

PLANNED = {"event": "planned", "study": "quick", "study_digest": "d", "workload": "w", "clusters": ["a-8x2", "local"]}
BEGUN = {"event": "begun", "pid": 1, "max_cost": 40.0, "currency": "USD"}
PRICE = {"amount_per_hour": 6.0, "currency": "USD", "date": "2026-11-01"}
STARTING = {"event": "starting", "cluster": "a-8x2", "made": True, "price": PRICE}
UP = {
    "event": "up",
    "cluster": "a-8x2",
    "expires_at": "2026-11-30T18:00:00Z",
    "price": {**PRICE, "amount_per_hour": 6.5},
    "nodes": 2,
    "slots": 8,
}
SWEEPING = {"event": "sweeping", "cluster": "a-8x2", "sweep": "../quick-a8x2-1"}
SWEPT = {"event": "swept", "cluster": "a-8x2", "complete": True, "outcomes": {"ok": 4}}
LEFT = {"event": "left", "cluster": "a-8x2", "spent": 1.25, "taken_down": True}
FAILED = {"event": "failed", "cluster": "a-8x2", "step": "up", "reason": "no room"}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs" / "quick-campaign-1"
    made.mkdir(parents=True)
    return made


def campaign(folder, *events):
    lines = [json.dumps({"schema_version": 1, "utc": f"t{n}", **event}) + "\n" for n, event in enumerate(events)]
    (folder / LEDGER).write_text("".join(lines))
    return read_campaign(folder)


def test_a_cluster_is_followed_from_its_start_to_its_end(folder):
    found = campaign(folder, PLANNED, BEGUN)
    assert (found.study, found.max_cost, found.currency) == ("quick", 40.0, "USD")
    assert [(each.name, each.state) for each in found.clusters] == [("a-8x2", "waiting"), ("local", "waiting")]

    paid = campaign(folder, PLANNED, BEGUN, STARTING).cluster("a-8x2")
    assert (paid.state, paid.since, paid.made, paid.price) == ("at work", "t2", True, PRICE)

    paid = campaign(folder, PLANNED, BEGUN, STARTING, UP, SWEEPING).cluster("a-8x2")
    assert (paid.state, paid.since, paid.made) == ("at work", "t2", True)
    assert (paid.price["amount_per_hour"], paid.expires_at) == (6.5, "2026-11-30T18:00:00Z")
    assert paid.sweep == folder.parent / "quick-a8x2-1"

    found = campaign(folder, PLANNED, BEGUN, STARTING, UP, SWEEPING, SWEPT, LEFT)
    paid = found.cluster("a-8x2")
    assert (paid.state, paid.since, paid.made, paid.spent) == ("swept", None, False, 1.25)
    assert found.spent == 1.25
    assert found.cluster("local").state == "waiting"


def test_what_failed_says_where_and_why_and_all_times_up_are_added(folder):
    found = campaign(folder, PLANNED, BEGUN, STARTING, FAILED, LEFT)
    paid = found.cluster("a-8x2")
    assert (paid.state, paid.step, paid.reason, paid.sweep) == ("failed", "up", "no room", None)

    again = campaign(folder, PLANNED, BEGUN, STARTING, FAILED, LEFT, STARTING, UP, SWEEPING, SWEPT, LEFT)
    paid = again.cluster("a-8x2")
    assert (paid.state, paid.step, paid.reason, paid.spent) == ("swept", "", "", 2.5)


def test_a_cluster_that_failed_to_go_down_may_still_bill(folder):
    stuck = {**FAILED, "step": "down", "reason": "no network"}
    paid = campaign(folder, PLANNED, BEGUN, STARTING, UP, SWEEPING, SWEPT, stuck).cluster("a-8x2")
    assert (paid.state, paid.step, paid.since, paid.made) == ("swept", "down", "t2", True)
    found = campaign(folder, PLANNED, BEGUN, STARTING, UP, SWEEPING, SWEPT, stuck, LEFT)
    assert (found.cluster("a-8x2").state, found.cluster("a-8x2").since, found.spent) == ("swept", None, 1.25)


@pytest.mark.parametrize(("events", "state"), [((STARTING, UP), "waiting"), ((STARTING, UP, SWEEPING), "partial")])
def test_an_interrupted_cluster_waits_or_is_partial(folder, events, state):
    assert campaign(folder, PLANNED, BEGUN, *events, LEFT).cluster("a-8x2").state == state


def test_a_sweep_with_runs_left_is_partial_and_says_why(folder):
    left_over = {**SWEPT, "complete": False, "reason": "the budget is spent"}
    paid = campaign(folder, PLANNED, BEGUN, STARTING, UP, SWEEPING, left_over, LEFT).cluster("a-8x2")
    assert (paid.state, paid.reason) == ("partial", "the budget is spent")


def test_a_later_start_has_its_own_limit_and_opens_the_campaign_again(folder):
    ended = {"event": "ended", "reason": "budget"}
    assert campaign(folder, PLANNED, BEGUN, ended).ended == "budget"
    found = campaign(folder, PLANNED, BEGUN, ended, {**BEGUN, "max_cost": 60.0})
    assert (found.max_cost, found.ended) == (60.0, "")


def test_a_skipped_cluster_says_why_and_events_of_no_cluster_that_are_new_do_no_harm(folder):
    skipped = {"event": "skipped", "cluster": "local", "reason": "too little memory"}
    found = campaign(folder, PLANNED, BEGUN, {"event": "weather"}, skipped)
    assert (found.cluster("local").state, found.cluster("local").reason) == ("skipped", "too little memory")


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "holds no campaign"),
        ((BEGUN,), "holds no campaign"),
        (({**PLANNED, "clusters": "local"},), "clusters is not a list"),
        ((PLANNED, {**STARTING, "cluster": "other"}), "other is no cluster of this campaign"),
        ((PLANNED, {**STARTING, "price": {"amount_per_hour": "6"}}), "amount_per_hour = '6' has the wrong type"),
        ((PLANNED, {**LEFT, "spent": "1"}), "spent = '1' has the wrong type"),
        ((PLANNED, {"event": "swept", "cluster": "local"}), "lacks complete"),
    ],
)
def test_what_no_campaign_writes_is_refused_by_name(folder, events, words):
    with pytest.raises(SchemaError, match=words):
        campaign(folder, *events)


def test_a_folder_without_a_ledger_holds_no_campaign(folder):
    with pytest.raises(SchemaError, match="holds no campaign"):
        read_campaign(folder)
