"""From the hostfile on: what the real engine put out, its nodes replaced by local hosts, and `fab sweep` on them.

Then from nothing to a report and back to nothing, as README has it, with hosts that stand for the nodes.
"""

import json
import subprocess
import sys

import pytest

from infra import hostfile
from orchestration.paths import SweepPaths
from tests.cluster.host import WORKDIR
from tests.cluster.hosts import Hosts, reason_against
from tests.infra.engine.nodes import Nodes
from tests.orchestration.support import ROOT
from workload.record.kinds import read_record

STUDY = """
schema_version = 1
name = "small"
launches = 1
repeats = 1
warmups = 0
images = "synthetic"
backend = ["numpy"]
problem = { batch = 8, in_channels = 1, out_channels = 1, height = 64, width = 64, kernel_size = 3 }
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
ranks = "slots"
"""


@pytest.fixture
def hosts(tmp_path):
    if reason := reason_against():
        pytest.skip(reason)
    with Hosts(tmp_path / "hosts", 2) as made:
        yield made


def move(document, hosts):
    """The same cluster on hosts of this machine; slots, memory, profile, price and end stay as they were put out."""
    nodes = [
        node
        | {"address": host.address, "ssh": {"via": "direct", "host": host.address} if not rank else {"via": "head"}}
        for rank, (node, host) in enumerate(zip(document["nodes"], hosts.hosts, strict=True))
    ]
    here = {"python": sys.executable, "workdir": WORKDIR, "user": "root", "interface_subnet": f"{hosts.subnet}.0/24"}
    text, moved = hostfile.describe({**document, **here}, nodes)
    hosts.inventory.write_text(json.dumps(moved))
    (hosts.inventory.parent / "hostfile").write_text(text)


def test_a_sweep_runs_on_what_was_put_out(sit, hosts, tmp_path):
    desk = sit("light")
    desk.init(nodes="2")
    desk.up()
    document = json.loads((desk.files / "inventory.json").read_text())
    move(document, hosts)
    (tmp_path / "small.toml").write_text(STUDY)
    flags = ["--cluster", hosts.inventory, "--study", tmp_path / "small.toml", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "fabric", "sweep", *map(str, flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = SweepPaths(tmp_path / "out")
    records = [read_record(path) for path in paths.records.glob("*.json")]
    assert {(record["run"]["ranks"], record["outcome"]) for record in records} == {(1, "ok"), (2, "ok")}
    swept = json.loads(paths.inventory.read_text())
    for key in ("cluster", "profile", "created_at", "expires_at", "price"):
        assert swept[key] == document[key]


@pytest.fixture
def nodes(tmp_path):
    if reason := reason_against():
        pytest.skip(reason)
    with Nodes(tmp_path / "nodes", 2, shift=1) as made:  # the subnet's first address is Google's
        yield made


def test_from_nothing_to_a_report_and_back(sit, nodes, tmp_path):
    desk = sit("light")
    desk.init(nodes="2", subnet=f"{nodes.subnet}.0/24")
    desk.point()
    desk.menu = ["-m", "fabric"]
    nodes.serve(desk)
    assert "light: 2 nodes, 2 slots, reachable" in desk.fab("up", "--cluster", "light", "--yes")
    (tmp_path / "small.toml").write_text(STUDY)
    desk.fab("sweep", "--cluster", "light", "--study", str(tmp_path / "small.toml"))
    desk.fab("check", "--cluster", "light")
    latest = desk.tree / "results" / "runs" / "latest"
    records = [read_record(path) for path in SweepPaths(latest).records.glob("*.json")]
    assert sorted((record["run"]["nodes"], record["outcome"]) for record in records) == [(1, "ok"), (2, "ok")]
    assert (latest / "report.html").exists()

    left = nodes.head.folder / "convscale" / "jobs" / "0123456789abcdef-01234567"
    left.mkdir()
    said = desk.fab("down", "--cluster", "light", "--yes", status=2)
    assert "the head of light holds 1 runs that are not here" in said
    left.rmdir()
    assert "light is down" in desk.fab("down", "--cluster", "light", "--yes")
    assert desk.cloud.compute.held == {}
    assert not desk.files.exists()
