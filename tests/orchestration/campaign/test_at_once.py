"""Several clusters of a campaign at work at once, with stand-ins: who begins when, for what money, and how it ends.

That they were up at once is told by the order of the ledger's events; the stand-ins' sweeps wait for each other.
"""

import threading
from dataclasses import dataclass, field

import pytest

from orchestration.campaign.budget import DOWN_S
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Stopped
from tests.cluster.host import wait_for
from tests.orchestration.campaign.stand_ins import NAMES, StandIn, made
from workload.record.ledger import read_ledger

LIMIT_S = 60.0
CTRL_C = "Ctrl-C"


@dataclass
class AtOnce(StandIn):
    """`meets`: a sweep there goes on once these clusters are up, or ends by Ctrl-C where it waits for that.

    `outlives_a` is taken down once the first one has failed or is gone. `ends` are when sweeps had to end.
    """

    meets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_up: dict[str, threading.Event] = field(default_factory=lambda: {name: threading.Event() for name in NAMES})
    asked_to_end: threading.Event = field(default_factory=threading.Event)
    outlives_a: str = ""
    ends: dict[str, str | None] = field(default_factory=dict)

    def up(self, cluster, offer, most):
        found = super().up(cluster, offer, most)
        self.is_up[cluster].set()
        return found

    def down(self, cluster):
        over = {("failed", "a"), ("left", "a")}
        if cluster == self.outlives_a:
            wait_for(lambda: any((each["event"], each.get("cluster")) in over for each in self.events()), LIMIT_S)
        super().down(cluster)

    def sweep(self, cluster, ends_at, folder, begun):
        self.ends[cluster] = ends_at
        return super().sweep(cluster, ends_at, folder, begun)

    def meet(self, cluster):
        for other in self.meets.get(cluster, ()):
            if other == CTRL_C:
                assert self.asked_to_end.wait(LIMIT_S)
                raise KeyboardInterrupt
            assert self.is_up[other].wait(LIMIT_S)

    def interrupt(self, asked):
        self.asked_to_end.set()

    def person_asks_to_end(self):
        """As the signals' handler does."""
        self.interrupts += 1
        self.ask(self.interrupts)

    def events(self):
        return read_ledger(self.folder / "campaign.jsonl").events

    def place(self, event, cluster):
        """Of an event in the ledger."""
        (found,) = [
            n for n, each in enumerate(self.events()) if (each["event"], each.get("cluster")) == (event, cluster)
        ]
        return found

    def most_at_once(self):
        most, now = 0, 0
        for event in self.events():
            now += {"starting": 1, "left": -1}.get(event["event"], 0)
            most = max(most, now)
        return most


@pytest.fixture
def stand_in(tmp_path):
    (tmp_path / "campaign").mkdir()
    return AtOnce(tmp_path / "campaign")


@pytest.mark.parametrize(("parallel", "most"), [(2, 2), (3, 3), (9, 3)])
def test_so_many_are_up_at_once_and_never_more(stand_in, parallel, most):
    stand_in.meets = dict.fromkeys(NAMES[:most], NAMES[:most])
    assert stand_in.campaign(parallel=parallel) == "complete"
    assert stand_in.states() == ["swept"] * 3
    assert stand_in.most_at_once() == most
    assert stand_in.alive == []
    assert stand_in.events()[1]["parallel"] == parallel
    if parallel == 2:  # the third began when one of the first was gone
        first = min(stand_in.place("left", "a"), stand_in.place("left", "b"))
        assert first < stand_in.place("starting", "c")


def test_what_those_at_work_may_cost_is_held_back(stand_in):
    stand_in.offers = {"a": made(30.0), "b": made(10.0), "c": made(10.0)}
    stand_in.meets = {"a": ("b",), "b": ("c",)}
    assert stand_in.campaign(400.0, parallel=2) == "complete"
    starts = {each["cluster"]: each["most"] for each in stand_in.events() if each["event"] == "starting"}
    assert (starts["a"], starts["b"]) == (pytest.approx(300.0), pytest.approx(100.0))
    used = next(each["spent"] for each in stand_in.events() if (each["event"], each.get("cluster")) == ("left", "a"))
    assert starts["c"] == pytest.approx(400.0 - used - starts["b"])
    assert stand_in.found.spent < 400.0


def test_two_at_work_never_go_beyond_the_budget(stand_in):
    stand_in.offers = {name: made(6.0, shortest_s=900.0) for name in NAMES[:2]}
    stand_in.left_s = dict.fromkeys(NAMES, 1e6)
    stand_in.meets = {"a": ("b",), "b": ("a",)}
    assert stand_in.campaign(20.0, parallel=2) == "budget"
    assert "partial" in stand_in.states()
    starts = [each for each in stand_in.events() if each["event"] == "starting"]
    assert sum(each["most"] for each in starts) <= 20.0
    for each in starts:  # not what was spent: the stand-ins have one clock, so that each lasts as long as the other
        lasts_s = lifetime_left_s(stand_in.ends[each["cluster"]], each["utc"]) + DOWN_S
        assert lasts_s / 3600.0 * 6.0 <= each["most"] + 0.01
    reasons = [each["reason"] for each in stand_in.events() if each["event"] == "swept"]
    assert "its share of the budget is spent" in reasons


def test_one_whose_share_would_not_pay_for_its_start_waits_for_the_rest(stand_in):
    stand_in.offers = {name: made(6.0, shortest_s=3600.0) for name in NAMES}  # 6.3 with its end
    assert stand_in.campaign(12.0, parallel=3) == "budget"
    assert stand_in.most_at_once() == 1
    assert stand_in.states() == ["swept", "skipped", "skipped"]
    assert "are left for b, and its start and end alone take 6.30" in stand_in.found.cluster("b").reason


@pytest.mark.parametrize("step", ["up", "check", "sweep", "down"])
def test_one_that_fails_does_not_stop_the_other(stand_in, step):
    stand_in.meets = {"a": ("b",), "b": ("a",)}
    stand_in.wrong["a." + step] = Stopped("no room for it")
    if step in ("up", "check"):
        stand_in.meets = {}
    stand_in.outlives_a = "b" if step == "down" else ""
    assert stand_in.campaign(parallel=2) == "failed"
    assert stand_in.found.cluster("b").state == "swept"
    if step == "down":  # it may still bill: no other begins
        assert (stand_in.alive, stand_in.found.cluster("a").step) == (["a"], "down")
        assert stand_in.found.cluster("c").state == "waiting"
    else:
        assert (stand_in.alive, stand_in.states()) == ([], ["failed", "swept", "swept"])


def test_ctrl_c_takes_down_all_that_is_up_and_the_same_command_goes_on(stand_in):
    stand_in.meets = {"a": ("b", CTRL_C), "b": ("a", CTRL_C)}

    def person():
        assert stand_in.is_up["a"].wait(LIMIT_S)
        assert stand_in.is_up["b"].wait(LIMIT_S)
        stand_in.person_asks_to_end()

    threading.Thread(target=person).start()
    assert stand_in.campaign(parallel=2) == "interrupted"
    assert stand_in.alive == []
    assert stand_in.states() == ["partial", "partial", "waiting"]
    assert "c.up" not in stand_in.asked
    assert all(each.since is None for each in stand_in.found.clusters)

    stand_in.meets = {}
    assert stand_in.campaign(parallel=2) == "complete"
    assert stand_in.states() == ["swept"] * 3


def test_a_cluster_on_this_machine_is_alone(stand_in):
    stand_in.offers = {"a": made(), "b": ClusterOffer(True, 1, here=True), "c": made()}
    assert stand_in.campaign(parallel=3) == "complete"
    assert stand_in.most_at_once() == 1
    assert stand_in.place("left", "a") < stand_in.place("starting", "b")
    assert stand_in.place("left", "b") < stand_in.place("starting", "c")


def test_the_money_is_not_shared_with_those_that_wait_for_one_on_this_machine(stand_in):
    stand_in.offers = {"a": made(), "b": ClusterOffer(True, 1, here=True), "c": made()}
    assert stand_in.campaign(100.0, parallel=2) == "complete"
    starts = {each["cluster"]: each["most"] for each in stand_in.events() if each["event"] == "starting"}
    assert starts["a"] == pytest.approx(100.0)
    assert starts["b"] is None


@pytest.mark.parametrize(("free", "most"), [(12.0, 1), (16.0, 2)])
def test_two_that_the_quota_cannot_hold_at_once_come_in_turn(stand_in, free, most):
    stand_in.offers = {name: made(quota={"N2_CPUS": (8.0, free)}) for name in NAMES}
    stand_in.meets = {"a": NAMES[:most]}
    assert stand_in.campaign(parallel=2) == "complete"
    assert stand_in.most_at_once() == most


def test_a_fault_of_our_own_is_raised_when_the_other_is_taken_down_too(stand_in):
    stand_in.meets, stand_in.outlives_a = {"b": ("a",)}, "b"
    stand_in.wrong["a.check"] = TypeError("a mistake in the program")
    with pytest.raises(TypeError, match="a mistake"):
        stand_in.campaign(parallel=2)
    assert stand_in.alive == []
    assert "c.up" not in stand_in.asked


def test_skipped_and_swept_ones_take_no_place(stand_in):
    stand_in.meets = {"a": ("c",), "c": ("a",)}
    assert stand_in.campaign(skip={"b": "too little memory"}, parallel=2) == "complete"
    assert stand_in.states() == ["swept", "skipped", "swept"]
    assert stand_in.most_at_once() == 2
    stand_in.asked.clear()
    assert stand_in.campaign(skip={"b": "too little memory"}, parallel=2) == "complete"
    assert stand_in.asked == []
