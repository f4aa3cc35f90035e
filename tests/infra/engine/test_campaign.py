"""`fab sweep --clusters` under the real engine: machine types in a row, on hosts that stand for their nodes."""

import pytest
import yaml

from orchestration.provision.cloud import made
from orchestration.provision.cloud.clients import stack_settings
from orchestration.provision.cloud.type_and_count import TypeAndCount
from tests.cluster.hosts import reason_against
from tests.infra.engine.nodes import Nodes
from tests.infra.engine.test_sweep import STUDY
from tests.infra.engine.test_type_and_count import stacks
from workload.record.campaign import LEDGER, read_campaign
from workload.record.ledger import read_ledger

TYPES = [TypeAndCount(name, 2) for name in ("t2d-standard-1", "e2-medium", "t2d-standard-2")]
NAMES = [f"{each.machine_type}x{each.count}" for each in TYPES]
FIRST, MIDDLE, LAST = (each.stack for each in TYPES)
LIMIT_S = 1200
FREE = "ZONE_RESOURCE_POOL_EXHAUSTED: no such machine is free"


@pytest.fixture
def nodes(tmp_path):
    if reason := reason_against():
        pytest.skip(reason)
    with Nodes(tmp_path / "nodes", 2, shift=1) as running:  # the subnet's first address is Google's
        yield running


@pytest.fixture
def other_nodes(tmp_path):
    with Nodes(tmp_path / "others", 2, shift=1) as running:
        yield running


@pytest.fixture
def desk(sit, tmp_path):
    """A person who has one stack, which is not up, and a study."""
    found = sit("light")
    found.init(nodes="2")
    found.point()
    found.menu = ["-m", "fabric"]
    (tmp_path / "small.toml").write_text(STUDY)
    return found


def place(desk, nodes, types=TYPES):
    """The stacks that are made have their nodes where the hosts are."""
    nodes.serve(desk, *(each.stack for each in types))
    for each in types:
        made.write(each, desk.tree)
        path = stack_settings.own_file(each.stack, desk.tree)
        document = yaml.safe_load(path.read_text())
        document["config"]["convscale:subnet"] = f"{nodes.subnet}.0/24"
        path.write_text(yaml.safe_dump(document))


def sweep(desk, tmp_path, *words, clusters=None, status=0):
    study = str(tmp_path / "small.toml")
    process = desk.begin_fab("sweep", "--clusters", ",".join(clusters or NAMES), "--study", study, *words)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == status, said
    return said


def campaign(desk):
    (ledger,) = (desk.tree / "results" / "runs").glob(f"*/{LEDGER}")
    return read_campaign(ledger.parent)


def test_three_types_in_a_row_of_which_the_middle_one_fails(desk, nodes, tmp_path):
    place(desk, nodes)
    desk.cloud.refuses[f"convscale-{MIDDLE}-node2"] = FREE
    said = sweep(desk, tmp_path, "--max-cost", "40", "--yes", status=1)
    assert f"Make {', '.join(NAMES)}, one after the other, for small and at most 40 USD in all? Yes, by --yes." in said
    found = campaign(desk)
    assert [each.state for each in found.clusters] == ["swept", "failed", "swept"]
    assert found.clusters[1].step == "up"
    assert f"{MIDDLE} is taken down again, nothing is left of it" in found.clusters[1].reason
    assert all(each.sweep.name.startswith("small-t2dstandard") for each in found.clusters if each.sweep)
    assert 0.0 < found.spent < 40.0
    assert all(each.since is None for each in found.clusters)
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]
    assert not list((desk.tree / "infra" / "clusters").glob("*/inventory.json"))


def test_two_at_once_and_one_that_fails(desk, nodes, other_nodes, tmp_path):
    first, middle, last = TYPES
    place(desk, nodes, [first, middle])
    place(desk, other_nodes, [last])
    desk.cloud.refuses[f"convscale-{MIDDLE}-node2"] = FREE
    clusters = [NAMES[0], NAMES[2], NAMES[1]]
    said = sweep(desk, tmp_path, "--max-cost", "40", "--yes", "--parallel", "2", clusters=clusters, status=1)
    assert f"Make {', '.join(clusters)}, at most 2 at once, for small and at most 40 USD in all?" in said
    found = campaign(desk)
    assert [each.state for each in found.clusters] == ["swept", "swept", "failed"], said
    assert f"{MIDDLE} is taken down again, nothing is left of it" in found.clusters[2].reason
    events = [(each["event"], each.get("cluster")) for each in read_ledger(found.folder / LEDGER).events]
    at_once = [events.index((event, name)) for event in ("starting", "left") for name in clusters[:2]]
    assert max(at_once[:2]) < min(at_once[2:])
    assert events.index(("starting", clusters[2])) > min(at_once[2:])
    assert 0.0 < found.spent < 40.0
    assert all(each.since is None for each in found.clusters)
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]
    assert not list((desk.tree / "infra" / "clusters").glob("*/inventory.json"))
    assert desk.locks() == []


def test_what_cannot_be_is_refused_before_anything_is_made(desk, tmp_path):
    desk.cloud.compute.quotas = {"us-central1": [{"metric": "T2D_CPUS", "limit": 2, "usage": 0}]}
    said = sweep(
        desk, tmp_path, "--max-cost", "40", "--yes", status=2, clusters=["t2d-standard-1x2", "t2d-standard-2x2"]
    )
    assert "T2D_CPUS: 4 needed, 0 of 2 in use" in said
    said = sweep(desk, tmp_path, "--max-cost", "0.001", "--yes", status=2, clusters=["t2d-standard-1x2"])
    assert "0.00 USD are left for t2d-standard-1x2, and its start and end alone take" in said
    said = sweep(desk, tmp_path, "--max-cost", "40", status=2, clusters=["t2d-standard-1x2"])
    assert "Nobody is here to ask: give --yes" in said
    assert desk.asked() == []
    assert stacks(desk) == ["light"]
    assert not list((desk.tree / "results" / "runs").glob("*campaign*"))
