"""A cluster by type and count of machines, from no stack at all to a cluster and back to no stack."""

import pytest
import yaml

from orchestration.clusters import inventory

SHAPE, STACK = "t2d-standard-1x2", "t2dstandard1x2"


@pytest.fixture
def desk(sit):
    """A person who has one stack, which is not up."""
    made = sit("light")
    made.init(nodes="2", owner="ann")
    made.point()
    made.cloud.compute.quotas = {"us-central1": [{"metric": "T2D_CPUS", "limit": 2, "usage": 0}]}
    return made


def stacks(desk):
    return [line.split()[0].rstrip("*") for line in desk.pulumi("stack", "ls").splitlines()[1:] if line.strip()]


def test_up_again_and_down(desk):
    settings = desk.tree / "infra" / "stacks" / f"Pulumi.{STACK}.yaml"
    said = desk.fab("up", "--cluster", SHAPE, "--yes")
    for words in ("2 Instance", f"convscale-{STACK}-node1", "t2d-standard-1, on demand", "T2D_CPUS"):
        assert words in said
    assert said.splitlines()[-1].startswith(f"{STACK}: 2 nodes, 2 slots, reachable, until ")
    config = yaml.safe_load(settings.read_text())
    assert config["config"]["convscale:machine_type"] == "t2d-standard-1"
    assert config["encryptionsalt"]
    labels = [each.inputs["labels"] for each in desk.cloud.made.values() if "bootDisk" in each.inputs]
    assert [each["owner"] for each in labels] == ["ann", "ann"]

    assert "Resources: nothing changes" in desk.fab("up", "--cluster", SHAPE)
    assert f"{STACK}  " in desk.fab("clusters")

    assert f"{SHAPE} is down" in desk.fab("down", "--cluster", SHAPE, "--discard", "--yes")
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]
    assert not settings.exists()
    assert not (desk.tree / "infra" / "clusters" / STACK).exists()
    assert STACK not in desk.fab("clusters")


def test_what_is_refused_leaves_no_stack(desk):
    said = desk.fab("up", "--cluster", "t2d-standard-1x3", "--yes", status=2)
    assert "T2D_CPUS: 3 needed, 0 of 2 in use" in said
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]
    said = desk.fab("up", "--cluster", "t2d-standard-3x2", "--yes", status=2)
    assert "machine type 't2d-standard-3' is not described in infra/machines.toml: near it are" in said
    said = desk.fab("up", "--cluster", "h4d-standard-192x2", "--yes", status=2)
    assert "nobody has stated what h4d-standard-192 and disk hyperdisk-balanced costs" in said
    assert stacks(desk) == ["light"]
    assert desk.asked() == []


def test_a_machine_with_a_gpu(desk):
    """Its quotas too are looked at before anything is up."""
    quotas = {"NVIDIA_L4_GPUS": 1, "GPUS_ALL_REGIONS": 0, "INSTANCES": 9}

    def have():
        desk.cloud.compute.quotas = {
            "us-central1": [{"metric": metric, "limit": limit, "usage": 0} for metric, limit in quotas.items()]
        }

    have()
    said = desk.fab("up", "--cluster", "g2-standard-4x1", "--yes", status=2)
    assert "has not the quota in us-central1 (GPUS_ALL_REGIONS: 1 needed, 0 of 0 in use)" in said
    said = desk.fab("up", "--cluster", "g2-standard-4x2", "--yes", status=2)
    assert "NVIDIA_L4_GPUS: 2 needed, 0 of 1 in use; GPUS_ALL_REGIONS: 2 needed" in said
    assert desk.asked() == []
    assert stacks(desk) == ["light"]

    quotas["GPUS_ALL_REGIONS"] = 1
    have()
    said = desk.fab("up", "--cluster", "g2-standard-4x1", "--yes")
    for words in ("g2-standard-4, on demand", "0.7068", "2026-07-30", "NVIDIA_L4_GPUS", "GPUS_ALL_REGIONS"):
        assert words in said
    assert said.splitlines()[-1].startswith("g2standard4x1: 1 node, 4 slots, reachable, until ")
    (node,) = [each.inputs for each in desk.cloud.made.values() if "bootDisk" in each.inputs]
    assert "-with-nvidia-" in node["bootDisk"]["initializeParams"]["image"]
    assert node["scheduling"]["onHostMaintenance"] == "TERMINATE"
    assert inventory.read(desk.tree / "infra/clusters/g2standard4x1/inventory.json").nodes[0].gpus == 1
    desk.fab("down", "--cluster", "g2-standard-4x1", "--discard", "--yes")
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]


def test_what_fails_amid_the_start_is_taken_down_with_its_stack(desk):
    desk.cloud.refuses[f"convscale-{STACK}-node2"] = "ZONE_RESOURCE_POOL_EXHAUSTED: no such machine is free"
    said = desk.fab("up", "--cluster", SHAPE, "--yes", status=1)
    assert f"{STACK} is taken down again, nothing is left of it" in said
    assert desk.cloud.compute.held == {}
    assert stacks(desk) == ["light"]
