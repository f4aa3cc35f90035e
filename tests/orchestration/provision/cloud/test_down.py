"""`fab down` of a stack: nothing is lost unasked, what is left is named, a lock is cleared on consent."""

import json
import socket
import subprocess
import sys

import pytest

from orchestration.errors import Refusal, Stopped
from orchestration.paths import RunsFolder
from orchestration.provision.cloud.clients.pulumi_stack import Lock, locks_in
from orchestration.provision.cloud.provider import GoogleCloud
from orchestration.provision.cloud.recovery import described
from tests.orchestration.provision.cloud import plays
from tests.orchestration.provision.cloud.conftest import UTC

TOKEN_ID = "0123456789abcdef"
LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete \
the lock file with `pulumi cancel`.
  file:///state/.pulumi/locks/organization/convscale/fat/5.json: created by {user}@{host} (pid {pid}) at {since}"""


@pytest.fixture
def runs(desk):
    return RunsFolder(desk.root / "results" / "runs")


@pytest.fixture
def up(desk):
    """The cluster stands, and its files are here."""
    desk.cloud(yes=True).up("fat", None, keep=False)
    assert (desk.folder / "inventory.json").exists()
    return desk


def begun(runs, recorded=False):
    """A sweep here that began a run on the cluster."""
    folder = runs.folder / "paper-fat"
    for name in ("records", ".jobs"):
        (folder / name).mkdir(parents=True)
    (folder / "inventory.json").write_text(json.dumps(plays.outputs()["inventory"]))
    (folder / "ledger.jsonl").write_text("")
    (paths,) = runs.sweeps()
    paths.job(TOKEN_ID).mkdir()
    if recorded:
        paths.record(TOKEN_ID).write_text("{}")


def test_down_destroys_and_proves_it(up, runs):
    up.compute.held.clear()
    up.cloud().down("fat", runs, discard=False)
    assert up.engine.called("destroy") == 1
    assert not up.folder.exists()


def test_what_is_left_is_named_and_is_a_failure(up, runs):
    up.compute.held.clear()
    up.compute.put("regions/us-central1/routers/convscale-fat-router")
    up.compute.put("regions/us-central1/routers/convscale-light-router")
    with pytest.raises(Stopped, match="1 things are left: 'fab down --orphans --cluster fat'"):
        up.cloud().down("fat", runs, discard=False)
    assert "convscale-fat-router" in up.text
    assert "convscale-light" not in up.text


def test_records_that_are_not_here_are_not_thrown_away(up, runs):
    begun(runs)
    with pytest.raises(Refusal, match=r"1 runs of paper-fat were begun on fat .* its head cannot be asked .*--discard"):
        up.cloud().down("fat", runs, discard=False)
    assert up.engine.called("destroy") == 0
    up.compute.held.clear()
    up.cloud().down("fat", runs, discard=True)
    assert up.engine.called("destroy") == 1


def test_where_the_head_is_gone_nothing_can_be_lost(up, runs):
    begun(runs)
    up.compute.held.clear()
    up.cloud().down("fat", runs, discard=False)
    assert "is gone already" in up.text


def test_what_is_recorded_holds_nothing_up(up, runs):
    begun(runs, recorded=True)
    with pytest.raises(Stopped, match="are left"):  # the stand-in's nodes, which no engine deleted
        up.cloud().down("fat", runs, discard=False)
    assert "no sweep here waits for anything of it" in up.text


def test_what_is_left_cannot_be_listed(up, runs):
    up.compute.held.clear()
    up.compute.fail(403, "Compute Engine API has not been used in project 1 before", "accessNotConfigured")
    with pytest.raises(Stopped, match=r"cannot be listed: .*gcloud services enable compute"):
        up.cloud().down("fat", runs, discard=True)


def test_a_stack_that_is_nowhere(desk, runs):
    desk.engine.play(
        plays.new_cluster() | {"stack select": {"status": 255, "stderr": "error: no stack named 'fat' found"}}
    )
    with pytest.raises(Refusal, match="stack fat is not where Pulumi keeps its state now"):
        desk.cloud().down("fat", runs, discard=False)


# A lock and pending operations


def locked(desk, pid, host):
    play = plays.new_cluster()
    text = LOCKED.format(user="me", host=host, pid=pid, since="2026-11-23T02:00:00Z")
    play["destroy"] = {"status": 255, "stderr": text, "events": []}
    play["cancel"] = {"then": {"destroy": plays.new_cluster()["destroy"]}}
    desk.engine.play(play | {"deployment": plays.deployment(2), "outputs": plays.outputs()})
    desk.compute.held.clear()


def test_a_lock_is_shown_with_its_age_and_cleared_on_consent(desk, runs):
    locked(desk, 7, "elsewhere")
    desk.answers = ["yes"]
    desk.cloud().down("fat", runs, discard=False)
    assert "locked: by me@elsewhere, process 7, 10 min ago" in desk.asked[0]
    assert desk.engine.called("cancel") == 1
    assert desk.engine.called("destroy") == 2


def test_a_lock_stays_without_consent(desk, runs):
    locked(desk, 7, "elsewhere")
    desk.answers = ["no"]
    with pytest.raises(Refusal, match="the stack is locked, and stays so"):
        desk.cloud().down("fat", runs, discard=False)
    assert desk.engine.called("cancel") == 0


def test_a_lock_of_another_machine_stays_where_nobody_looks(desk, runs):
    locked(desk, 7, "elsewhere")
    with pytest.raises(Refusal, match="by me@elsewhere, process 7, 10 min ago: --yes does not clear"):
        desk.cloud(yes=True).down("fat", runs, discard=False)
    assert desk.engine.called("cancel") == 0


def test_a_lock_whose_holder_is_at_work_is_never_cleared(desk, runs, tmp_path):
    # a process of that name, as the engine's is
    program = tmp_path / "pulumi"
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE) as holder:
        locked(desk, holder.pid, socket.gethostname())
        with pytest.raises(Refusal, match=rf"being worked at: by me@.*, process {holder.pid}, 10 min ago"):
            desk.cloud(yes=True).down("fat", runs, discard=False)
        assert holder.stdin is not None
        holder.stdin.close()
    assert desk.engine.called("cancel") == 0


def test_operations_of_unknown_end_are_forgotten_on_consent(desk, runs):
    router = {"type": "gcp:compute/router:Router", "inputs": {"name": "convscale-fat-router"}}
    router["urn"] = plays.urn(router["type"], "convscale-fat-router")
    pending = [{"type": "creating", "resource": router}]
    play = plays.new_cluster() | {"deployment": plays.deployment(1, pending), "refresh": {"events": [plays.SUMMARY]}}
    desk.engine.play(play)
    desk.compute.put("regions/us-central1/routers/convscale-fat-router")
    desk.answers = ["no", "yes"]
    with pytest.raises(Refusal, match="creating convscale-fat-router was begun and never ended"):
        desk.cloud().down("fat", runs, discard=False)
    assert desk.compute.deleted == []
    desk.cloud().down("fat", runs, discard=False)
    assert desk.compute.deleted == ["regions/us-central1/routers/convscale-fat-router"]
    assert any("--clear-pending-creates" in call for call in desk.engine.calls)
    assert "7826 h" in desk.asked[0]  # since the state's manifest was written


def test_locks_without_a_name_and_with_another_form_of_time():
    assert locks_in("the stack is currently locked by 1 lock(s).") == []
    (lock,) = locks_in(LOCKED.format(user="a.b", host="h-1.x", pid=12, since="2026-11-23T04:00:00.5+02:00"))
    assert described(lock, UTC) == "by a.b@h-1.x, process 12, 10 min ago"
    assert described(Lock("a", "b", 1, "yesterday"), UTC) == "by a@b, process 1, yesterday ago"


# Orphans


@pytest.fixture
def orphans(desk):
    place = "us-central1"
    desk.compute.held.clear()
    paths = {
        "network": "global/networks/convscale-fat-network",
        "subnet": f"regions/{place}/subnetworks/convscale-fat-subnet",
        "placement": f"regions/{place}/resourcePolicies/convscale-fat-placement",
        "node": f"zones/{place}-a/instances/convscale-fat-node1",
        "disk": f"zones/{place}-a/disks/convscale-fat-node1",
        "router": f"regions/{place}/routers/convscale-fat-router",
        "firewall": "global/firewalls/convscale-fat-ssh",
        "address": f"regions/{place}/addresses/convscale-fat-node1",
    }
    uses = {
        "node": ("disk", "subnet", "address", "placement"),
        "subnet": ("network",),
        "router": ("network",),
        "firewall": ("network",),
        "address": ("subnet",),
    }
    for name, path in paths.items():
        desk.compute.put(path, uses=[paths[other] for other in uses.get(name, ())])
    desk.compute.put("global/networks/default")
    desk.compute.put("global/networks/convscale-light-network")
    return desk


def test_orphans_are_listed_and_deleted_in_an_order_that_works(orphans):
    orphans.answers = ["yes"]
    assert GoogleCloud().orphans("fat", "", False, orphans.operator()) == 8
    assert sorted(orphans.compute.held) == ["global/networks/convscale-light-network", "global/networks/default"]
    assert "Delete these 8 in project lab" in orphans.asked[0]
    assert orphans.engine.calls == []


def test_orphans_without_consent(orphans):
    orphans.answers = ["no"]
    with pytest.raises(Refusal, match="nothing is deleted"):
        GoogleCloud().orphans("fat", "", False, orphans.operator())
    with pytest.raises(Refusal, match="give --yes"):
        GoogleCloud().orphans("fat", "", False, orphans.operator(terminal=False))
    assert orphans.compute.deleted == []
    assert "convscale-fat-router" in orphans.text


@pytest.mark.parametrize("cluster", ["Fat", "fat-2", "*", "fat/../x", ""])
def test_orphans_that_nobody_named(orphans, cluster):
    with pytest.raises(Refusal, match=r"stack's name|name one"):
        GoogleCloud().orphans(cluster, "", False, orphans.operator(yes=True))
    assert orphans.compute.deleted == []


def test_a_cluster_with_an_inventory_here_is_no_orphan(up):
    with pytest.raises(Refusal, match="fat is no orphan"):
        GoogleCloud().orphans("fat", "", False, up.operator(yes=True))
    assert up.compute.deleted == []


def test_nothing_is_left(desk):
    desk.compute.held.clear()
    assert GoogleCloud().orphans("fat", "", False, desk.operator()) == 0
