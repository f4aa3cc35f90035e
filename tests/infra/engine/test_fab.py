"""`fab up`, `inventory` and `down` as a person types them, over Pulumi's real engine."""

import os
import re
import shutil
import signal
import threading

import pytest

from orchestration.clusters import inventory
from orchestration.paths import SweepPaths
from tests.cluster.host import wait_for
from tests.orchestration.provision.cloud.plays import HOST_KEY

QUOTAS = {"CPUS": 24, "CPUS_ALL_REGIONS": 32, "INSTANCES": 24, "SSD_TOTAL_GB": 500, "IN_USE_ADDRESSES": 4}


@pytest.fixture
def desk(sit):
    made = sit("light")
    made.init(nodes="2")
    made.point()
    made.cloud.compute.quotas = {
        "us-central1": [{"metric": metric, "limit": limit, "usage": 0} for metric, limit in QUOTAS.items()]
    }
    return made


@pytest.fixture
def standing(desk):
    """The cluster stands."""
    desk.fab("up", "--cluster", "light", "--yes")
    desk.asked()
    return desk


class Held:
    """The provider waits before it makes or deletes a node, until the test lets it go on."""

    def __init__(self, desk, when):
        self.desk, self.when = desk, when
        self.at_work, self.go_on = threading.Event(), threading.Event()
        setattr(desk.provider, when, self._wait)

    def _wait(self, name):
        if name == "convscale-light-node1":
            self.at_work.set()
            assert self.go_on.wait(300)

    def reached(self, process):
        while not self.at_work.wait(0.2):
            assert process.poll() is None, process.communicate()[0]

    def release(self):
        setattr(self.desk.provider, self.when, lambda _: None)
        self.go_on.set()


@pytest.fixture
def held(desk):
    made = Held(desk, "before")
    yield made
    made.release()


def test_up_again_another_machine_and_down(desk):
    desk.cloud.platforms["convscale-light-node2"] = "AMD Rome"
    said = desk.fab("up", "--cluster", "light", "--yes")
    assert "processors differ (Intel Broadwell: node1; AMD Rome: node2): runs whose ranks are on several" in said
    for words in ("create", "2 Instance", "203.0.113.7/32", "e2-medium, on demand", "2026-07-30", "SSD_TOTAL_GB"):
        assert words in said
    assert "lifetime 4 h, then Google itself ends the nodes" in said
    assert "up: create Instance convscale-light-node2" in said
    assert said.splitlines()[-1].startswith("light: 2 nodes, 2 slots, reachable, until ")
    put_out = inventory.parse(desk.outputs()["inventory"], "outputs")
    assert inventory.read(desk.files / "inventory.json") == put_out
    assert (desk.files / "known_hosts").read_text().count(HOST_KEY) == 3

    assert len(desk.asked()) == 10
    assert "Resources: nothing changes" in desk.fab("up", "--cluster", "light")
    assert desk.asked() == []

    said = desk.fab("up", "--cluster", "light", "--budget", "0.5", status=2)
    assert re.search(r"light lives, for 4 h, and \d h \d+ min is asked for: another lifetime would replace", said)
    desk.pulumi("config", "set", "convscale:lifetime", "2h")
    assert "cluster light was made for 14400s" in desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert desk.asked() == []

    other = desk.clone("another")
    desk.pulumi("stack", "select", "light", tree=other)
    desk.pulumi("config", "set", "gcp:computeCustomEndpoint", desk.cloud.compute.endpoint, tree=other)
    said = desk.fab("inventory", "--cluster", "light", tree=other)
    assert "id_ed25519 is not here: bring it from the machine that made the cluster" in said
    for name in ("inventory.json", "hostfile", "known_hosts"):
        assert (other / "infra/clusters/light" / name).read_text() == (desk.files / name).read_text()
    assert "id_ed25519 is not here" in desk.fab("up", "--cluster", "light", "--yes", tree=other, status=2)

    assert "light is down" in desk.fab("down", "--cluster", "light", "--discard", "--yes", tree=other)
    assert desk.cloud.compute.held == {}
    assert desk.known() == []


DISRUPTIVE = [
    ("image", "projects/p/global/images/mine-1", "convscale:image: projects/debian-cloud/global/images/debian-12"),
    ("spot", "true", "scheduling.preemptible, convscale:spot: False -> True"),
    ("zone", "us-central1-b", "zone, convscale:zone: us-central1-a -> us-central1-b"),
    ("disk_type", "pd-ssd", "convscale:disk_type: pd-balanced -> pd-ssd"),
    ("disk_gib", "10", "bootDisk.initializeParams.size, convscale:disk_gib: 20 -> 10"),
    ("machine_type", "n2-highcpu-16", "machineType, convscale:machine_type: e2-medium -> n2-highcpu-16"),
    ("subnet", "10.1.0.0/24", "marked for protection"),
    ("ssh_from", "2600:1900::/64", "networkInterfaces[0].stackType, convscale:ssh_from: IPV4_ONLY -> IPV4_IPV6"),
]


def test_what_would_replace_or_stop_a_living_node_is_refused(standing):
    for key, value, says in DISRUPTIVE:
        before = standing.pulumi("config", "get", "convscale:ssh_from").strip() if key == "ssh_from" else None
        standing.pulumi("config", "set", f"convscale:{key}", value)
        said = standing.fab("up", "--cluster", "light", "--yes", status=2)
        standing.pulumi("config", *(["set", "convscale:ssh_from", before] if before else ["rm", f"convscale:{key}"]))
        assert says in said.splitlines()[-1]
        assert "light stands, and this would replace" in said
        assert standing.asked() == []


def test_what_is_done_in_place(standing):
    before = sorted(standing.cloud.compute.held)
    standing.pulumi("config", "set", "convscale:ssh_from", "203.0.113.8/32")
    standing.pulumi("config", "set", "convscale:disk_gib", "30")
    bootstrap = standing.tree / "infra" / "bootstrap.sh"
    bootstrap.write_text(bootstrap.read_text() + "# another day\n")
    # the project's own image moves: the cluster keeps the one that it was made with
    profiles = standing.tree / "infra" / "profiles.py"
    profiles.write_text(profiles.read_text().replace("debian-12-bookworm-v", "debian-12-bookworm-v9"))
    said = standing.fab("up", "--cluster", "light", "--yes")
    assert "change" in said
    assert standing.asked() == [
        "update convscale-light-node1",
        "update convscale-light-node2",
        "update convscale-light-ssh",
    ]
    assert sorted(standing.cloud.compute.held) == before
    images = [each.inputs["bootDisk"]["initializeParams"]["image"] for each in standing.cloud.made.values()
              if "bootDisk" in each.inputs]  # fmt: skip
    assert len(images) == 2
    assert not any("v9" in image for image in images)


def test_with_replace_nodes_are_made_anew_once_all_is_fetched(standing):
    begun = standing.tree / "results" / "runs" / "paper-light"
    for name in ("records", ".jobs"):
        (begun / name).mkdir(parents=True)
    shutil.copy(standing.files / "inventory.json", begun)
    (begun / "ledger.jsonl").write_text("")
    job = SweepPaths(begun).job("0123456789abcdef")
    job.mkdir()
    standing.pulumi("config", "set", "convscale:spot", "true")
    said = standing.fab("up", "--cluster", "light", "--yes", "--replace", status=2)
    assert "1 runs of paper-light were begun on light and are not recorded here" in said
    assert standing.asked() == []
    job.rmdir()
    nodes = {f"{what} convscale-light-node{n}" for what in ("create", "delete") for n in (1, 2)}
    # the provider replaces for the first; only the engine does for the second
    for key, value in (("spot", "true"), ("disk_gib", "10")):
        standing.pulumi("config", "set", f"convscale:{key}", value)
        assert "light: 2 nodes" in standing.fab("up", "--cluster", "light", "--yes", "--replace")
        assert nodes <= set(standing.asked())
    assert "Resources: nothing changes" in standing.fab("up", "--cluster", "light", "--yes")
    assert "cannot be deleted" in standing.pulumi("destroy", "--yes", fails=True)  # protected again


def test_money_is_a_lifetime_that_google_enforces(desk):
    said = desk.fab("up", "--cluster", "light", "--budget", "1", "--yes")
    lives_s = desk.outputs()["lifetime_s"]
    nodes = [each.inputs for path, each in desk.cloud.made.items() if "/instances/" in path]
    assert [node["scheduling"]["maxRunDuration"]["seconds"] for node in nodes] == [lives_s] * 2
    price = desk.outputs()["price"]
    assert lives_s % 60 == 0
    assert 1 - price["amount_per_hour"] / 60 < price["amount_for_lifetime"] <= 1
    assert f"convscale:lifetime is {lives_s}s from now on" in said
    assert "Resources: nothing changes" in desk.fab("up", "--cluster", "light", "--budget", "1")
    said = desk.fab("down", "--cluster", "light", "--yes")  # nothing was measured, and nobody answers
    assert "the head cannot be asked what it holds" in said
    assert desk.cloud.compute.held == {}


def test_too_little_quota_is_found_before_anything_is_made(desk):
    desk.cloud.compute.quotas["us-central1"][0]["limit"] = 3
    assert "CPUS: 4 needed, 0 of 3 in use" in desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert desk.asked() == []


def test_a_node_that_fails_to_start_is_taken_down_with_the_rest(desk):
    desk.cloud.publishes["convscale-light-node2"] = {"convscale/bootstrap": "failed: pip: no space left"}
    said = desk.fab("up", "--cluster", "light", "--yes", status=1)
    failed = "node2 (convscale-light-node2) failed to start: pip: no space left"
    assert f"{failed}: node2 is made anew, by itself" in said
    assert f"{failed}: light is taken down again" in said
    asked = desk.asked()
    assert [asked.count(f"create convscale-light-node{n}") for n in (1, 2)] == [1, 2]
    assert desk.cloud.compute.held == {}
    assert not desk.files.exists()


EXHAUSTED = (
    "googleapi: Error 503: The zone 'us-central1-a' does not have enough resources, ZONE_RESOURCE_POOL_EXHAUSTED"
)


def test_google_has_no_room_for_a_node(desk):
    desk.cloud.refuses["convscale-light-node2"] = EXHAUSTED
    said = desk.fab("up", "--cluster", "light", "--yes", status=1)
    assert f"convscale-light-node2: {EXHAUSTED}: set another zone, or try again later" in said
    assert said.strip().endswith("light is taken down again, nothing is left of it")
    assert desk.cloud.compute.held == {}
    said = desk.fab("up", "--cluster", "light", "--yes", "--keep", status=1)
    assert "what is there stays, as --keep says, and bills until 'fab down --cluster light'" in said
    assert desk.cloud.names("Instance") == ["convscale-light-node1"]
    desk.cloud.refuses.clear()
    desk.asked()
    assert "light: 2 nodes" in desk.fab("up", "--cluster", "light", "--yes")
    assert desk.asked() == ["create convscale-light-node2"]


def test_google_has_what_the_state_does_not_know(desk):
    desk.cloud.compute.put("zones/us-central1-a/instances/convscale-light-node2")
    said = desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert "Google has 1 things of light that Pulumi's state here does not know" in said


def test_ctrl_c_in_mid_up_leaves_nothing(desk, held):
    process = desk.begin_fab("up", "--cluster", "light", "--yes")
    held.reached(process)
    os.killpg(process.pid, signal.SIGINT)
    threading.Timer(3.0, held.release).start()
    said = desk.end(process, status=1)
    assert "interrupted: the engine ends what it began" in said
    assert "light is taken down again, nothing is left of it" in said
    assert desk.locks() == []
    assert desk.cloud.compute.held == {}


def test_ctrl_c_in_mid_down_and_down_again(desk):
    desk.fab("up", "--cluster", "light", "--yes")
    desk.cloud.take("convscale-light-node2")  # as Google does at the lifetime's end
    held = Held(desk, "parting")
    process = desk.begin_fab("down", "--cluster", "light", "--discard", "--yes")
    held.reached(process)
    os.killpg(process.pid, signal.SIGINT)
    threading.Timer(3.0, held.release).start()
    assert "interrupted: the same command goes on" in desk.end(process, status=1)
    assert desk.locks() == []
    assert desk.files.exists()
    desk.fab("down", "--cluster", "light", "--discard", "--yes")
    assert desk.cloud.compute.held == {}
    assert not desk.files.exists()


def test_a_killed_up_leaves_a_lock_and_a_node_that_nobody_knows(desk, held):
    process = desk.begin_fab("up", "--cluster", "light", "--yes")
    held.reached(process)
    os.killpg(process.pid, signal.SIGKILL)
    desk.end(process, status=None)
    assert len(desk.locks()) == 1
    held.release()  # Google makes it all the same
    wait_for(lambda: "convscale-light-node1" in desk.cloud.names("Instance"))
    said = desk.fab("up", "--cluster", "light", status=2)
    assert re.search(r"creating convscale-light-node\d.* begun and never ended, \d+ min ago. Forget that.*--yes", said)
    said = desk.fab("up", "--cluster", "light", "--yes")
    assert re.search(r"The stack is locked: by \S+@\S+, process \d+, \d+ min ago. Is nobody at work on it", said)
    assert "deleted instance convscale-light-node1, which the stack's state never knew" in said
    assert len(desk.cloud.names("Instance")) == 2
    assert desk.locks() == []


def test_two_ups_at_once(desk, held):
    first = desk.begin_fab("up", "--cluster", "light", "--yes")
    held.reached(first)
    said = desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert re.search(r"the stack is being worked at: by \S+@\S+, process \d+, \d+ min ago: wait for it", said)
    held.release()
    desk.end(first)
    assert len(desk.cloud.names("Instance")) == 2


def test_orphans_need_neither_state_nor_passphrase(desk):
    desk.fab("up", "--cluster", "light", "--yes")
    shutil.rmtree(desk.folder / "state")
    shutil.rmtree(desk.files)
    (desk.folder / "state").mkdir()
    said = desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert "Google has 11 things of light that Pulumi's state here does not know" in said
    assert "11 things deleted" in desk.fab("down", "--orphans", "--cluster", "light", "--yes")
    assert desk.cloud.compute.held == {}


def test_no_program(desk, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "the program 'pulumi' is not on PATH: install it" in desk.fab("up", "--cluster", "light", status=2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": None}, "choose a passphrase and export it as PULUMI_CONFIG_PASSPHRASE"),
        ({"PULUMI_CONFIG_PASSPHRASE": "another"}, "incorrect passphrase: give PULUMI_CONFIG_PASSPHRASE the passphrase"),
        ({"PULUMI_BACKEND_URL": None}, "'pulumi login --local' keeps the state on this machine"),
    ],
)
def test_what_the_engine_wants_first_is_one_line(desk, changes, says):
    desk.changes.update(changes)
    said = desk.fab("up", "--cluster", "light", "--yes", status=2)
    assert says in said
    assert len(said.splitlines()) == 1
