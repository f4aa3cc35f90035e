"""Nodes after the engine made them: one that fails is made anew alone, and odd processors are shown and offered."""

import pytest

from orchestration.errors import Stopped
from tests.orchestration.provision.cloud import plays

BAD = {"convscale/bootstrap": "failed: apt: mirror"}
NODES = [f"convscale-fat-node{n}" for n in range(1, 9)]


@pytest.fixture
def eight(desk):
    """Eight nodes of one processor; `mends` is whom another making of nodes mends."""
    play = plays.new_cluster(8)
    play["deployment"] = plays.deployment(0)
    play["up"]["then"]["deployment"] = plays.deployment(0)
    play["up"]["then"]["deployment"]["deployment"]["resources"] = [
        {"urn": plays.urn("gcp:compute/instance:Instance", name), "type": "gcp:compute/instance:Instance"}
        for name in NODES
    ]
    desk.engine.play(play)
    good = desk.compute.attributes[NODES[0]]
    for name in NODES:
        document = {"status": "RUNNING", "cpuPlatform": "Intel Broadwell"}
        desk.compute.arriving[f"zones/us-central1-a/instances/{name}"] = document
        desk.compute.attributes[name] = good
    return desk


def places(desk):
    return {name: desk.compute.arriving[f"zones/us-central1-a/instances/{name}"] for name in NODES}


def anew(desk):
    """Which nodes each `up` of the engine was told to replace."""
    calls = [call.split() for call in desk.engine.calls if call.startswith("up ")]
    return [[word.rpartition("::")[2] for word in call if "::" in word] for call in calls]


def failing(desk, *names):
    """These fail until they are made anew."""
    good, said = desk.compute.attributes[NODES[0]], desk.compute._attributes
    desk.compute.attributes |= dict.fromkeys(names, BAD)

    def answer(instance):
        if [instance] in anew(desk):
            desk.compute.attributes[instance] = good
        return said(instance)

    desk.compute._attributes = answer


def test_a_node_that_fails_is_made_anew_alone(eight):
    failing(eight, NODES[3])
    eight.cloud(yes=True).up("fat", None, keep=False)
    assert anew(eight) == [[], [NODES[3]]]
    assert "node4 (convscale-fat-node4) failed to start: apt: mirror: node4 is made anew, by itself" in eight.text
    assert eight.engine.called("state") == 0


def test_a_node_that_fails_twice_ends_it(eight):
    eight.compute.attributes[NODES[3]] = BAD
    with pytest.raises(Stopped, match=r"node4 \(convscale-fat-node4\) failed to start: apt: mirror"):
        eight.cloud(yes=True).up("fat", None, keep=True)
    assert anew(eight) == [[], [NODES[3]]]


def test_a_head_of_a_new_cluster_is_made_anew_too(eight):
    failing(eight, NODES[0])
    eight.cloud(yes=True).up("fat", None, keep=True)
    assert anew(eight) == [[], [NODES[0]]]
    assert eight.engine.called("state unprotect") == 1


def test_a_fault_of_many_nodes_is_none_of_their_own(eight):
    failing(eight, *NODES[1:5])
    with pytest.raises(Stopped, match="failed to start"):
        eight.cloud(yes=True).up("fat", None, keep=True)
    assert anew(eight) == [[], [NODES[1]], [NODES[2]]]


def test_one_kind_of_processor_is_said(eight):
    eight.cloud(yes=True).up("fat", None, keep=False)
    assert "processors: Intel Broadwell" in eight.text


def test_a_mix_is_said_and_left_alone_where_nobody_is_to_be_asked(eight):
    places(eight)[NODES[2]]["cpuPlatform"] = "AMD Rome"
    eight.cloud(yes=True).up("fat", None, keep=False)
    assert "processors differ (Intel Broadwell: node1, node2, node4," in eight.text
    assert "AMD Rome: node3)" in eight.text
    assert anew(eight) == [[]]


@pytest.mark.parametrize("answers", [["yes", "no"], ["yes", "yes", "no"]])
def test_odd_nodes_are_made_anew_as_often_as_the_person_likes(eight, answers):
    places(eight)[NODES[2]]["cpuPlatform"] = "AMD Rome"
    eight.answers = list(answers)
    eight.cloud().up("fat", None, keep=False)
    assert anew(eight) == [[], *([[NODES[2]]] * (len(answers) - 2))]
    assert "Make node3 anew, for Intel Broadwell? Google chooses again" in eight.asked[-1]


def test_a_new_clusters_head_may_be_the_odd_one(eight):
    places(eight)[NODES[0]]["cpuPlatform"] = "AMD Rome"
    eight.answers = ["yes", "yes", "no"]
    eight.cloud().up("fat", None, keep=False)
    assert anew(eight) == [[], [NODES[0]]]


def test_a_standing_clusters_head_is_what_others_are_made_like(desk):
    desk.live()
    for name, platform in zip(NODES[:2], ("AMD Rome", "Intel Broadwell"), strict=True):
        desk.compute.put(f"zones/us-central1-a/instances/{name}", status="RUNNING", cpuPlatform=platform)
    desk.compute.arriving.clear()
    desk.answers = ["no"]
    desk.cloud().up("fat", None, keep=False)
    assert "Make node2 anew, for AMD Rome?" in desk.asked[-1]
