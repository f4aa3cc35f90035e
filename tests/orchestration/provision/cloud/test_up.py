"""`fab up` of a stack, through the real Automation API and Google's real client."""

import json
import signal
import socket
import threading
import time

import pytest

from orchestration.clusters.folder import folder_of
from orchestration.clusters.lifetime import living
from orchestration.errors import Refusal, Stopped
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.ssh.keys import make_pair
from tests.orchestration.provision.cloud import plays
from tests.orchestration.provision.cloud.conftest import UTC


def gone(desk):
    """Google has nothing left of the cluster."""
    desk.compute.held.clear()
    desk.compute.arriving.clear()


def test_shows_asks_makes_waits_pins(desk):
    desk.answers = ["yes"]
    found = desk.cloud().up("fat", None, keep=False)
    assert [node.name for node in found.nodes] == ["node1", "node2"]
    for words in ("lab, us-central1-a", "2 Instance", "tcp", "203.0.113.0/24", "machine e2-medium", "2026-07-30"):
        assert words in desk.text
    assert "lifetime 4 h, then Google itself ends the nodes: at most 2.00 USD" in desk.text
    assert [line.split()[1:4] for line in desk.text.splitlines() if "CPUS" in line] == [["CPUS", "│", "4"]]
    assert desk.engine.called("up") == 1
    assert json.loads((desk.folder / "inventory.json").read_text())["cluster"] == "fat"
    assert (desk.folder / "known_hosts").read_text().count(plays.HOST_KEY) == 3
    assert clusters_of(desk.root, {}).find("fat", UTC).key_file == str(desk.folder / "id_ed25519")


def test_a_price_older_than_a_year_is_said_before_the_question(desk):
    desk.answers, desk.utc = [""], "2028-01-01T00:00:00+00:00"
    with pytest.raises(Refusal, match="nothing is made"):
        desk.cloud().up("fat", None, keep=False)
    assert "prices more than a year old: machine e2-medium (2026-07-30)" in desk.text


@pytest.mark.parametrize("answer", ["", "no", "y"])
def test_without_consent_nothing_is_made(desk, answer):
    desk.answers = [answer]
    with pytest.raises(Refusal, match="nothing is made"):
        desk.cloud().up("fat", None, keep=False)
    assert desk.engine.called("up") == 0


def test_nobody_to_ask(desk):
    with pytest.raises(Refusal, match="give --yes"):
        desk.cloud(terminal=False).up("fat", None, keep=False)
    assert desk.engine.called("up") == 0
    desk.cloud(yes=True, terminal=False).up("fat", None, keep=False)
    assert desk.engine.called("up") == 1


def test_the_same_again_asks_nothing(desk):
    desk.live()
    desk.cloud(terminal=False).up("fat", None, keep=False)
    assert desk.engine.called("refresh") == 1


def test_a_budget_is_a_lifetime(desk):
    desk.answers = ["yes"]
    desk.cloud().up("fat", 1.0, keep=False)
    assert "lifetime 2 h" in desk.text
    assert any("config set convscale:lifetime" in call and call.endswith(" 7200s") for call in desk.engine.calls)


def test_a_living_cluster_whose_key_lies_elsewhere(desk):
    desk.engine.play(plays.living_cluster())
    with pytest.raises(Refusal, match=r"fat lives, and \S+/id_ed25519 is not here: bring it from the machine"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("preview") + desk.engine.called("up") == 0


@pytest.mark.parametrize("budget", [None, 1.0])
def test_another_lifetime_on_a_living_cluster(desk, budget):
    desk.live(lifetime_s=14400 if budget else 3600)
    with pytest.raises(Refusal, match="another lifetime would replace its nodes"):
        desk.cloud(yes=True).up("fat", budget, keep=False)
    assert desk.engine.called("up") + desk.engine.called("config set") == 0


def planning(desk, *events, **preview):
    """A cluster that lives, and a preview that says these things of its nodes."""
    play = desk.live()
    play["preview"] = {"events": [*events, *play["preview"]["events"]]} | preview
    play["up"] = {"events": [plays.SUMMARY]}
    desk.engine.play(play)


ZONE = ("create-replacement", "convscale-fat-node1", "zone", "us-central1-a", "us-central1-b")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (plays.differs(*ZONE), "convscale-fat-node1 (zone, convscale:zone: us-central1-a -> us-central1-b)"),
        (
            plays.differs("update", "convscale-fat-node2", "machineType", "e2-medium", "e2-small", replaces=False),
            "convscale-fat-node2 (machineType, convscale:machine_type: e2-medium -> e2-small)",
        ),
    ],
)
def test_what_would_replace_or_stop_a_living_node_is_refused(desk, event, says):
    planning(desk, event)
    with pytest.raises(Refusal) as refusal:
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert f"fat stands, and this would replace {says}, with what is on them: set that back" in str(refusal.value)
    assert desk.engine.called("up") == 0


def test_what_the_engine_itself_will_not_replace(desk):
    words = 'unable to replace resource "urn" as it is currently marked for protection'
    events = [plays.says(words, name="convscale-fat-node1")]
    planning(desk, *events, status=255, stderr="error: preview failed")
    for runs in (None, RunsFolder(desk.root / "results" / "runs")):
        with pytest.raises(
            Refusal, match=r"would replace what its nodes stand on \(.*marked for protection\): set that"
        ):
            desk.cloud(yes=True).up("fat", None, keep=False, replacing=runs)
    assert desk.engine.called("up") == 0


def test_with_replace_nodes_are_made_anew_where_all_is_here(desk):
    planning(desk, plays.differs(*ZONE))
    desk.cloud(yes=True).up("fat", None, keep=False, replacing=RunsFolder(desk.root / "results" / "runs"))
    assert "everything that was measured there is here" in desk.text
    calls = [call for call in desk.engine.calls if call.startswith(("state unprotect --all", "up "))]
    assert [call.split()[0] for call in calls] == ["state", "up"]
    assert f"--replace {plays.urn('gcp:compute/instance:Instance', 'convscale-fat-node1')}" in calls[1]


def test_a_cluster_past_its_end_is_not_woken(desk):
    desk.engine.play(plays.living_cluster(expires="2026-11-23T02:00:00Z"))
    desk.compute.put("zones/us-central1-a/instances/convscale-fat-node1", status="TERMINATED")
    with pytest.raises(Refusal, match="ended at 2026-11-23T02:00:00Z, and its stopped head still has its disk"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("up") == 0


def test_a_cluster_past_its_end_without_a_head_is_made_anew(desk):
    play = plays.new_cluster()
    play |= plays.living_cluster(expires="2026-11-23T02:00:00Z", lifetime_s=3600) | {"preview": play["preview"]}
    desk.engine.play(play)
    desk.folder.mkdir(parents=True)
    (desk.folder / "inventory.json").write_text("{}")  # the program takes it for a living cluster's
    desk.answers = ["no"]
    with pytest.raises(Refusal, match="nothing is made"):
        desk.cloud().up("fat", None, keep=False)
    assert not (desk.folder / "inventory.json").exists()


def test_what_google_has_and_the_state_does_not_know(desk):
    desk.compute.put("global/networks/convscale-fat-network")
    with pytest.raises(Refusal, match="Google has 1 things of fat that Pulumi's state here does not know"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("preview") + desk.engine.called("up") == 0


def test_too_little_quota(desk):
    desk.compute.quotas["us-central1"][0]["usage"] = 22
    with pytest.raises(Refusal, match=r"has not the quota in us-central1 \(CPUS: 4 needed, 22 of 24 in use\)"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("up") == 0


def test_quota_that_cannot_be_read_is_said(desk):
    desk.compute.fail(403, "Required 'compute.regions.get' permission for 'regions/x'", "forbidden", times=2)
    desk.cloud(yes=True).up("fat", None, keep=False)
    assert "cannot be read: Google answers: 403" in desk.text


def failing(desk, *events, status=255, stderr="error: update failed"):
    play = plays.new_cluster()
    play["up"] = {"events": [*events, plays.SUMMARY], "status": status, "stderr": stderr,
                  "then": {"deployment": plays.deployment(1)}}  # fmt: skip
    desk.engine.play(play)


def test_what_is_half_made_is_taken_down(desk):
    failing(desk, plays.says("1 error occurred:\n\t* googleapi: Error 403: Quota 'CPUS' exceeded., quotaExceeded",
                             name="convscale-fat-node2"))  # fmt: skip
    gone(desk)
    with pytest.raises(Stopped) as stopped:
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert "convscale-fat-node2: googleapi: Error 403: Quota 'CPUS' exceeded., quotaExceeded: ask Google" in str(
        stopped.value
    )
    assert str(stopped.value).endswith("taken down again, nothing is left of it")
    assert desk.engine.called("destroy") == 1
    assert not desk.folder.exists()


def test_an_engine_that_is_killed_leaves_a_lock_that_is_cleared(desk):
    play = plays.new_cluster()
    play["up"] = {"events": [], "status": 9, "stdout": "+ creating", "then": {"deployment": plays.deployment(1)}}
    holder = f"me@{socket.gethostname()} (pid {2**22 + 1}) at 2026-11-23T02:00:00Z"
    lock = f"error: the stack is currently locked by 1 lock(s)\n x: created by {holder}"
    play["cancel"] = {"then": {"destroy": play["destroy"]}}
    play["destroy"] = {"status": 255, "stderr": lock, "events": []}
    desk.engine.play(play)
    with pytest.raises(
        Stopped, match=r"engine ended with status 9 and says no more than '\+ creating': fat is taken down"
    ):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert f"locked: by me@{socket.gethostname()}, process {2**22 + 1}, 10 min ago" in desk.text


def test_keep_keeps(desk):
    failing(desk, plays.says("boom"))
    with pytest.raises(Stopped, match="boom: what is there stays, as --keep says"):
        desk.cloud(yes=True).up("fat", None, keep=True)
    assert desk.engine.called("destroy") == 0


def test_a_cluster_that_stood_before_is_never_taken_down(desk):
    play = desk.live()
    play["preview"]["events"].insert(0, plays.begins("create", "convscale-fat-node3"))
    play["up"] = {"status": 255, "stderr": "error: no", "events": []}
    desk.engine.play(play)
    with pytest.raises(Stopped, match="stays, for it stood before"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("destroy") == 0


def test_a_policy_comes_before_what_it_made_stumble(desk):
    play = plays.new_cluster()
    trace = "Traceback (most recent call last):\n  File x\nKeyboardInterrupt"
    events = [plays.says(trace), plays.breaks_policy("<{%reset%}>SSH is open to 0.0.0.0/0")]
    play["preview"] = {"status": 255, "stderr": "error: preview failed", "events": events}
    desk.engine.play(play)
    with pytest.raises(Refusal) as refusal:
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert str(refusal.value) == "convscale-fat-ssh: policy no-open-ssh: SSH is open to 0.0.0.0/0"


def test_a_program_error_is_its_last_line(desk):
    trace = "Program failed with an unhandled exception:\nTraceback (most recent call last):\n  File x\nValueError: no"
    play = plays.new_cluster()
    play["preview"] = {"status": 255, "stderr": "error: preview failed", "events": [plays.says(trace)]}
    desk.engine.play(play)
    with pytest.raises(Refusal, match=r"^ValueError: no$"):
        desk.cloud(yes=True).up("fat", None, keep=False)


def test_a_node_that_fails_says_why_itself(desk):
    desk.compute.attributes["convscale-fat-node2"] = {"convscale/bootstrap": "failed: pip: no space left on device"}
    with pytest.raises(Stopped, match=r"node2 \(convscale-fat-node2\) failed to start: pip: no space left on device"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("destroy") == 1


def test_what_is_left_after_taking_down_is_said(desk):
    desk.compute.attributes["convscale-fat-node2"] = {"convscale/bootstrap": "failed: x"}
    with pytest.raises(Stopped, match="2 things are left and may bill: 'fab down --orphans'"):
        desk.cloud(yes=True).up("fat", None, keep=False)


def test_ctrl_c_ends_the_engine_first_and_then_takes_down(desk):
    play = plays.new_cluster()
    play["up"] |= {"takes_s": 1.0, "then": play["up"]["then"] | {"ended": True}}
    desk.engine.play(play)
    gone(desk)
    main = threading.get_ident()

    def interrupt() -> None:
        while not desk.engine.called("up"):
            time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stopped, match="interrupted: fat is taken down again"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    thread.join()
    assert "the engine ends what it began" in desk.text
    assert json.loads((desk.engine.folder / "plays.json").read_text())["ended"]  # before anything else was asked of it
    assert desk.text.index("the engine ends") < desk.text.index("up: create") < desk.text.index("taken down again")


def test_ctrl_c_while_nodes_start_takes_down(desk):
    desk.compute.attributes["convscale-fat-node2"] = {"convscale/bootstrap": "running"}

    def interrupt() -> None:
        gone(desk)
        raise KeyboardInterrupt

    desk.on_sleep = interrupt
    with pytest.raises(Stopped, match="interrupted: fat is taken down again, nothing is left of it"):
        desk.cloud(yes=True).up("fat", None, keep=False)
    assert desk.engine.called("destroy") == 1


def test_a_head_that_nobody_reaches(desk, monkeypatch):
    monkeypatch.undo()  # the real pairing
    monkeypatch.setenv("PATH", str(desk.engine.folder), prepend=":")
    monkeypatch.setattr("orchestration.provision.cloud.pairing.PATIENCE_S", 3.0)
    (desk.root / "infra" / "clusters" / "fat").mkdir(parents=True)
    make_pair(folder_of("fat", desk.root))
    with pytest.raises(Stopped, match=r"node1 \(127.0.0.1:9\): .*is the address that the internet sees you with in"):
        desk.cloud(yes=True).up("fat", None, keep=True)


def test_an_inventory_past_its_end_is_refused(desk):
    desk.cloud(yes=True).up("fat", None, keep=False)
    found = clusters_of(desk.root, {}).find("fat", UTC)
    assert living(found, UTC) is found
    with pytest.raises(Refusal, match="lifetime of cluster fat ended at 2099-01-01T04:00:00Z"):
        living(found, "2099-01-01T04:00:00+00:00")
