"""A person compares the keys that the nodes show; nothing is pinned unseen."""

import io

import pytest
from rich.console import Console

from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.operator import Person
from orchestration.provision import host_keys
from orchestration.ssh.trust import KeyState, Shown
from tests.orchestration.clusters.test_inventory import document

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm6dZ4aXUpsMQfIPLq1EEXsTSjbKEjrRxDUa1KgJxQm"
FOUND = parse(document(), "test")


@pytest.fixture
def pinned(monkeypatch):
    """What is pinned; both nodes show a new key."""
    found = []
    monkeypatch.setattr(host_keys.trust, "scan", lambda _: [Shown(node, KEY, KeyState.NEW) for node in FOUND.nodes])
    monkeypatch.setattr(host_keys.trust, "pin", lambda _, shown: found.extend(item.node.name for item in shown))
    return found


def person(answer=None, yes=False):
    return Person(Console(file=io.StringIO(), width=200), yes, None if answer is None else lambda _: answer)


def test_keys_are_pinned_after_the_person_compared_them(pinned):
    someone = person("yes")
    host_keys.confirm(FOUND, (), someone)
    assert pinned == ["node1", "node2"]
    assert Shown(FOUND.nodes[0], KEY, KeyState.NEW).fingerprint in someone.console.file.getvalue()


@pytest.mark.parametrize("someone", [person("no"), person("y"), person(), person(yes=True)])
def test_without_an_answer_nothing_is_pinned(pinned, someone):
    with pytest.raises(Refusal, match="nothing is pinned: compare the fingerprints"):
        host_keys.confirm(FOUND, (), someone)
    assert pinned == []


def test_fingerprints_read_elsewhere_take_the_place_of_the_question(pinned):
    with pytest.raises(Refusal, match="not among the fingerprints"):
        host_keys.confirm(FOUND, ("SHA256:other",), person())
    assert pinned == []
    host_keys.confirm(FOUND, (Shown(FOUND.nodes[0], KEY, KeyState.NEW).fingerprint,), person())
    assert pinned == ["node1", "node2"]


def test_a_node_that_does_not_answer_is_named_and_nothing_new_is_asked(pinned, monkeypatch):
    silent = [Shown(FOUND.nodes[0], KEY, KeyState.PINNED), Shown(FOUND.nodes[1], None, KeyState.SILENT, "no route")]
    monkeypatch.setattr(host_keys.trust, "scan", lambda _: silent)
    someone = person()
    host_keys.confirm(FOUND, (), someone)
    assert "node2 does not answer: no route" in someone.console.file.getvalue()
    assert pinned == []
