"""What a person sees: a bar on a terminal, lines elsewhere, never the same twice."""

import io

from pulumi.automation.events import EngineEvent
from rich.console import Console

from orchestration.operator import Person
from orchestration.provision.cloud.clients.events import Heard
from orchestration.provision.cloud.clients.progress import following
from tests.orchestration.provision.cloud import plays


def person(terminal=False):
    return Person(Console(file=io.StringIO(), force_terminal=terminal, width=120), yes=False, ask=None)


def hear(heard, *events):
    for event in events:
        heard.event(EngineEvent.from_json({"sequence": 0, "timestamp": 0} | event))


def test_a_bar_on_a_terminal_counts_what_is_done():
    someone = person(terminal=True)
    with following(someone, "up", 2) as heard:
        hear(heard, plays.ends("create", "convscale-fat-node1"), plays.ends("same", "convscale-fat-node2"))
    text = someone.console.file.getvalue()
    assert "1/2" in text
    assert "create Instance convscale-fat-node1" in text


def test_a_line_for_each_change_elsewhere():
    someone = person()
    with following(someone, "up", 2) as heard:
        hear(heard, plays.ends("create", "a[b]"), plays.ends("create", "x", kind="convscale:infra:Cluster"))
    with following(someone, "preview") as heard:
        hear(heard, plays.ends("create", "a"))
    assert someone.console.file.getvalue() == "up: create Instance a[b]\n"


def test_components_and_what_stays_are_no_changes():
    heard = Heard()
    hear(heard, plays.begins("same", "a"), plays.begins("replace", "b"), plays.begins("create", "c", "pulumi:x:Y"))
    hear(heard, plays.begins("create-replacement", "b"), plays.begins("delete-replaced", "b"))
    assert [str(change) for change in heard.planned] == ["make anew Instance b", "delete the old Instance b"]


def test_an_advisory_policy_stops_nothing():
    heard = Heard()
    hear(
        heard,
        plays.breaks_policy("What ports are for\nbetter not", level="advisory"),
        plays.says("late", severity="warning"),
    )
    assert heard.fault("error: boom") == "boom"
    assert heard.warnings == ["convscale-fat-ssh: policy no-open-ssh: better not", "late"]
