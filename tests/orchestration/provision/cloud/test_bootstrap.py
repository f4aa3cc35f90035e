"""The wait for nodes: Google's guest attributes are asked until all say ready."""

import itertools

import pytest

from orchestration.errors import Refusal
from orchestration.provision.cloud.bootstrap import NotReadyError, Waiting
from orchestration.provision.cloud.clients.compute import Google
from orchestration.provision.cloud.offer import Instance
from tests.orchestration.provision.cloud.plays import HOST_KEY

ITEMS = [Instance(node=f"node{n}", name=f"n{n}", zone="z") for n in (1, 2)]
OTHER_KEY = HOST_KEY[:-1] + "A"
READY = {
    "convscale/bootstrap": "ready",
    "convscale/hostkey": f"ssh-ed25519 {HOST_KEY}",
    "hostkeys/ssh-ed25519": HOST_KEY,
}


@pytest.fixture
def waiting(compute):
    for item in ITEMS:
        compute.put(f"zones/z/instances/{item.name}", status="RUNNING")
    compute.turns = []

    def sleep(_):
        if compute.turns:
            compute.turns.pop(0)()

    seconds = itertools.count(step=10)
    return Waiting(Google("lab", compute.endpoint), lambda: next(seconds), sleep, lambda _: None, limit_s=100)


def test_waits_for_every_node(compute, waiting):
    compute.turns = [
        lambda: compute.attributes.update(n1=READY, n2={"convscale/bootstrap": "running"}),
        lambda: compute.attributes.update(n2={"convscale/bootstrap": "ready"}),
        lambda: compute.attributes.update(n2=READY | {"hostkeys/ssh-ed25519": f"ssh-ed25519 {HOST_KEY} root@n2"}),
    ]
    found = waiting.host_keys(ITEMS)
    assert found == {"node1": f"ssh-ed25519 {HOST_KEY}", "node2": f"ssh-ed25519 {HOST_KEY}"}
    assert compute.turns == []


def test_a_moments_trouble_of_google_is_no_end(compute, waiting):
    compute.attributes.update(n1=READY, n2=READY)
    compute.fail(403, "not yet", times=1)
    assert len(waiting.host_keys(ITEMS)) == 2


def test_the_limit_names_the_node_and_its_last_words(compute, waiting):
    compute.attributes.update(n1=READY)
    compute.consoles["n2"] = "apt: cannot fetch\n"
    with pytest.raises(NotReadyError, match=r"^node2 not ready after 2 min; node2's last words: apt: cannot fetch$"):
        waiting.host_keys(ITEMS)


@pytest.mark.parametrize("status", ["TERMINATED", "STOPPING", None])
def test_a_node_that_is_gone_ends_the_wait(compute, waiting, status):
    if status is None:
        del compute.held["zones/z/instances/n1"]
    else:
        compute.held["zones/z/instances/n1"]["status"] = status
    with pytest.raises(NotReadyError, match=rf"node1 \(n1\) is {status or 'gone'} before it was ready"):
        waiting.host_keys(ITEMS)


def test_a_failed_node_without_words_gives_its_consoles(compute, waiting):
    compute.attributes.update(n1={"convscale/bootstrap": "failed: "})
    compute.consoles["n1"] = "oom\n"
    with pytest.raises(NotReadyError, match=r"node1 \(n1\) failed to start: oom"):
        waiting.host_keys(ITEMS)


def test_a_host_key_that_is_none(compute, waiting):
    compute.attributes.update(n1=READY | {"convscale/hostkey": "x\ny"})
    with pytest.raises(Refusal, match="not an ed25519 public key"):
        waiting.host_keys(ITEMS)


def test_the_agents_word_may_be_missing_and_must_be_no_other(compute, waiting):
    lost = {key: value for key, value in READY.items() if not key.startswith("hostkeys/")}
    compute.attributes.update(n1=lost, n2=READY)
    assert len(waiting.host_keys(ITEMS)) == 2
    compute.attributes.update(n2=READY | {"hostkeys/ssh-ed25519": OTHER_KEY})
    with pytest.raises(NotReadyError, match=r"node2 \(n2\) serves another host key than Google's agent") as caught:
        waiting.host_keys(ITEMS)
    assert caught.value.nodes == ()  # that is no accident, to be done again


def test_a_node_is_not_ready_before_it_says_its_key(compute, waiting):
    compute.attributes.update(n1=READY, n2={"convscale/bootstrap": "ready", "hostkeys/ssh-ed25519": HOST_KEY})
    with pytest.raises(NotReadyError, match="node2 not ready"):
        waiting.host_keys(ITEMS)
