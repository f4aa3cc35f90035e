"""A campaign's order, budget, ends and second starts, with stand-ins for what is done with a cluster."""

import datetime

import pytest

from orchestration.campaign import folder as folders
from orchestration.campaign.steps import PlannedCluster
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from orchestration.jobs.executor import HeadLostError
from orchestration.paths import RunsFolder
from tests.orchestration.campaign.stand_ins import DOWN_S, IDENTITY, NAMES, SWEEP_S, UP_S, StandIn, made
from workload.record.ledger import read_ledger

STEPS = ("up", "push", "check", "sweep", "down")
HOUR = (UP_S + SWEEP_S + DOWN_S) / 3600  # of one cluster
EACH = 6.0 * HOUR  # what it costs


@pytest.fixture
def stand_in(tmp_path):
    (tmp_path / "campaign").mkdir()
    return StandIn(tmp_path / "campaign")


def free(standing=False):
    return ClusterOffer(not standing, 1)


def test_one_after_the_other_and_each_is_gone_before_the_next(stand_in):
    assert stand_in.campaign() == "complete"
    assert stand_in.asked == [f"{name}.{step}" for name in NAMES for step in STEPS]
    assert stand_in.most_alive == 1
    assert stand_in.alive == []
    assert stand_in.states() == ["swept"] * 3
    assert [each.spent for each in stand_in.found.clusters] == pytest.approx([EACH] * 3)
    assert stand_in.found.spent == pytest.approx(3 * EACH)
    assert stand_in.found.cluster("b").sweep == stand_in.folder.parent / "quick-b"


def test_what_stood_before_stays(stand_in):
    stand_in.offers["b"] = ClusterOffer(False, 1, made().price)
    stand_in.alive = ["b"]
    assert stand_in.campaign() == "complete"
    assert "b.down" not in stand_in.asked
    assert stand_in.alive == ["b"]
    assert stand_in.found.cluster("b").spent == pytest.approx(6.0 * (UP_S + SWEEP_S) / 3600)


def test_what_costs_nothing_needs_no_budget(stand_in):
    stand_in.offers = {"a": free(standing=True), "b": free(), "c": free()}
    stand_in.alive = ["a"]
    assert stand_in.campaign(None) == "complete"
    assert stand_in.found.spent == 0.0


@pytest.mark.parametrize("step", ["up", "push", "check", "sweep"])
@pytest.mark.parametrize("error", [Stopped("no room for it"), HeadLostError("node1", "is gone")])
def test_a_middle_one_that_fails_is_taken_down_and_the_rest_goes_on(stand_in, step, error):
    stand_in.wrong[f"b.{step}"] = error
    assert stand_in.campaign() == "failed"
    assert stand_in.states() == ["swept", "failed", "swept"]
    failed = stand_in.found.cluster("b")
    assert (failed.step, failed.reason) == (step, str(error))
    assert stand_in.alive == []
    assert 0.0 < failed.spent <= EACH
    assert ("b.pull" in stand_in.asked) == (step == "sweep")


def test_where_up_refuses_nothing_was_made_and_nothing_spent(stand_in):
    stand_in.wrong["b.up"] = Refusal("no such thing")
    assert stand_in.campaign() == "failed"
    assert stand_in.found.cluster("b").spent == 0.0
    assert "b.down" not in stand_in.asked


def test_the_same_command_again_makes_what_failed_and_nothing_twice(stand_in):
    stand_in.wrong["b.check"] = Refusal("one fault")
    stand_in.campaign()
    stand_in.asked.clear()
    assert stand_in.campaign() == "complete"
    assert stand_in.asked == [f"b.{step}" for step in STEPS]
    assert stand_in.states() == ["swept"] * 3
    stand_in.asked.clear()
    assert stand_in.campaign() == "complete"
    assert stand_in.asked == []


def test_a_budget_that_ends_in_the_second_leaves_its_rest_and_the_third(stand_in):
    limit = 1.5 * EACH
    assert stand_in.campaign(limit) == "budget"
    assert stand_in.states() == ["swept", "partial", "skipped"]
    assert stand_in.found.cluster("b").reason == "the budget is spent"
    assert "are left for c, and its start and end alone take" in stand_in.found.cluster("c").reason
    assert stand_in.found.spent <= limit
    assert stand_in.found.spent > 0.95 * limit
    assert "c.up" not in stand_in.asked

    stand_in.asked.clear()
    assert stand_in.campaign(10 * EACH) == "complete"
    assert stand_in.asked == [f"{name}.{step}" for name in "bc" for step in STEPS]
    assert stand_in.states() == ["swept"] * 3
    # the rest of b's sweep, and its start and end a second time
    assert stand_in.found.cluster("b").spent == pytest.approx(EACH + 6.0 * (UP_S + DOWN_S) / 3600, rel=1e-3)


def test_after_a_dear_one_a_cheap_one_may_still_be_paid_for(stand_in):
    stand_in.offers["b"] = made(600.0)
    assert stand_in.campaign(2.5 * EACH) == "budget"
    assert stand_in.states() == ["swept", "skipped", "swept"]


def test_the_provider_ends_what_lives_longer_than_the_money_lasts(stand_in):
    stand_in.offers = {name: made(lifetime_s=4 * 3600.0) for name in NAMES}
    stand_in.campaign(20.0)
    assert stand_in.money["a"] == pytest.approx(20.0)  # four hours would be 24
    assert stand_in.money["b"] == pytest.approx(20.0 - EACH)
    stand_in.offers = {name: made(lifetime_s=3600.0) for name in NAMES}
    stand_in.folder = stand_in.folder.parent / "other"
    stand_in.folder.mkdir()
    stand_in.campaign(20.0)
    assert stand_in.money["a"] is None


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_takes_down_what_is_up_and_the_same_command_goes_on(stand_in, step):
    stand_in.wrong[f"b.{step}"] = KeyboardInterrupt()
    assert stand_in.campaign() == "interrupted"
    assert stand_in.alive == []
    assert not [each for each in stand_in.asked if each.startswith("c.")]
    at_b = {"sweep": "partial", "down": "swept"}.get(step, "waiting")
    assert stand_in.states() == ["swept", at_b, "waiting"]
    assert stand_in.found.cluster("b").spent > 0.0
    assert all(each.since is None for each in stand_in.found.clusters)
    assert stand_in.found.ended == "interrupted"

    stand_in.asked.clear()
    assert stand_in.campaign() == "complete"
    assert stand_in.states() == ["swept"] * 3
    assert ("b.up" in stand_in.asked) == (step != "down")
    assert "a.up" not in stand_in.asked


def test_a_step_that_ends_by_ctrl_c_in_words_of_its_own_is_no_failure(stand_in):
    def stopped(*_):
        stand_in.interrupts += 1
        raise Stopped("interrupted: no rank is left")

    stand_in.check = stopped
    assert stand_in.campaign() == "interrupted"
    assert stand_in.states() == ["waiting"] * 3
    assert stand_in.alive == []


def test_a_second_ctrl_c_while_it_is_taken_down_leaves_it_and_says_so(stand_in):
    stand_in.wrong["a.sweep"] = KeyboardInterrupt()
    interrupted = []

    def down(cluster):
        interrupted.append(cluster)
        stand_in.interrupts += 1
        raise KeyboardInterrupt

    real, stand_in.down = stand_in.down, down
    assert stand_in.campaign() == "interrupted"
    assert interrupted == ["a", "a"]
    left = stand_in.found.cluster("a")
    assert (left.step, left.made, left.since is None) == ("down", True, False)
    assert "'fab down --cluster a'" in left.reason

    stand_in.down = real
    assert stand_in.campaign() == "complete"
    assert stand_in.alive == []
    assert stand_in.states() == ["swept"] * 3


def test_while_a_paid_one_cannot_be_taken_down_no_other_is_made(stand_in):
    stand_in.wrong["a.down"] = Stopped("no network")
    assert stand_in.campaign() == "failed"
    assert stand_in.alive == ["a"]
    assert "b.up" not in stand_in.asked
    assert stand_in.states() == ["swept", "waiting", "waiting"]

    stand_in.asked.clear()
    stand_in.now += datetime.timedelta(hours=2)
    assert stand_in.campaign() == "complete"
    assert stand_in.asked[:2] == ["a.down", "b.up"]
    found = stand_in.found.cluster("a")
    assert (found.state, found.step, found.reason) == ("swept", "", "")
    assert found.spent == pytest.approx(EACH + 2 * 6.0)  # until it was gone


class KilledError(BaseException):
    """The process is gone at that moment."""


@pytest.mark.parametrize("step", ["up", "check", "sweep"])
def test_after_a_kill_the_cluster_that_is_still_up_is_used_and_paid_from_its_start(stand_in, step):
    stand_in.wrong[f"a.{step}"] = KilledError()
    runner = stand_in.runner(1000.0)
    runner.journal.log("begun", pid=1, max_cost=1000.0, currency="USD")
    work = runner.work("a")
    work.leave = lambda **_: None  # a process that is killed does no more
    with pytest.raises(KilledError):
        work.carry_through(stand_in.offers["a"])
    assert stand_in.alive == ["a"]
    stand_in.asked.clear()
    assert stand_in.campaign() == "complete"
    assert stand_in.asked.count("a.down") == 1
    assert stand_in.states() == ["swept"] * 3
    assert stand_in.found.cluster("a").spent > EACH
    assert stand_in.most_alive == 1


def test_one_that_is_skipped_says_why_and_is_no_failure(stand_in):
    assert stand_in.campaign(skip={"b": "too little memory"}) == "complete"
    assert stand_in.states() == ["swept", "skipped", "swept"]
    assert stand_in.found.cluster("b").reason == "too little memory"
    assert not [each for each in stand_in.asked if each.startswith("b.")]


def test_the_ledger_is_written_before_anything_can_bill(stand_in):
    stand_in.wrong["a.up"] = KilledError()
    with pytest.raises(KilledError):
        stand_in.campaign()
    events = [event["event"] for event in read_ledger(stand_in.folder / "campaign.jsonl").events]
    assert events[:3] == ["planned", "begun", "starting"]


def test_the_newest_campaign_of_the_same_study_and_clusters_goes_on(stand_in, tmp_path):
    runs = RunsFolder(tmp_path)
    assert folders.find(runs, IDENTITY) is None
    stand_in.campaign()
    assert folders.find(runs, IDENTITY) == stand_in.folder
    other = folders.CampaignIdentity("quick", "study", "workload", ("b", "a", "c"))
    assert folders.find(runs, other) is None
    made_anew = folders.new(runs, IDENTITY, "2026-11-30T12:00:00+00:00")
    assert made_anew.name == "quick-campaign-20261130T120000Z"
    with folders.held(made_anew):
        assert made_anew.is_dir()
    assert not made_anew.exists()  # it never began


def test_a_fault_of_our_own_takes_the_cluster_down_too(stand_in):
    stand_in.wrong["a.check"] = TypeError("a mistake in the program")
    with pytest.raises(TypeError, match="a mistake"):
        stand_in.campaign()
    assert stand_in.alive == []


@pytest.mark.parametrize("event", ["starting", "up", "sweeping", "swept", "left"])
def test_ctrl_c_between_two_steps_leaves_nothing_up(stand_in, event):
    runner = stand_in.runner(1000.0)
    write, sent = runner.journal.log, []

    def log(kind, **values):
        if kind == event and not sent:
            sent.append(kind)
            stand_in.interrupts += 1
            raise KeyboardInterrupt
        write(kind, **values)

    runner.journal.log = log
    assert runner.carry_out([PlannedCluster(name, offer) for name, offer in stand_in.offers.items()]) == "interrupted"
    assert stand_in.alive == []
    assert not [each for each in stand_in.asked if each.startswith("b.")]
    assert all(each.since is None for each in runner.journal.campaign.clusters)
