"""Pulumi's real engine and the program: from nothing to a cluster, changed, repaired, and back to nothing."""

import json
import re

import pytest

from orchestration.clusters import inventory
from tests.infra.engine.cloud import HEAD

NODES = {"fat": 1, "light": 8, "gpu": 1}
SLOTS = {"fat": 16, "light": 1, "gpu": 4}


def agree(desk, nodes):
    """Outputs, files, and what Google has are the same."""
    outputs = desk.outputs()
    found = inventory.parse(outputs["inventory"], "outputs")
    names = [f"convscale-{desk.stack}-node{number}" for number in range(1, nodes + 1)]
    assert desk.cloud.names("Instance") == names == [each["name"] for each in outputs["instances"]]
    assert [node.address for node in found.nodes] == [f"10.0.0.{number + 2}" for number in range(nodes)]
    assert found.nodes[0].ssh.host == HEAD
    assert (desk.files / "hostfile").read_text() == outputs["hostfile"]
    assert outputs["hostfile"] == "".join(f"{node.address} slots={SLOTS[desk.stack]}\n" for node in found.nodes)
    assert json.loads((desk.files / "inventory.json").read_text()) == outputs["inventory"]
    return outputs


@pytest.mark.parametrize("stack", NODES)
def test_a_clusters_life(sit, stack):
    desk, nodes = sit(stack), NODES[stack]
    desk.init()

    said = desk.pulumi("preview")
    for name in ("hostfile", "inventory"):  # what Google alone can say
        assert re.search(rf"{name} *: (\[unknown\]|output<)", said)
    assert not desk.cloud.compute.held
    assert not desk.files.exists()

    desk.pulumi("up", "--yes")
    first = agree(desk, nodes)
    assert len(desk.asked()) == len(desk.known())
    assert (desk.files / "id_ed25519").stat().st_mode & 0o777 == 0o600

    desk.up()
    assert desk.asked() == []
    assert agree(desk, nodes) == first

    desk.pulumi("config", "set", "convscale:nodes", str(nodes + 1))
    desk.up()
    new = f"convscale-{stack}-node{nodes + 1}"
    nat = [f"create convscale-{stack}-nat", f"create convscale-{stack}-router"] if nodes == 1 else []
    assert desk.asked() == sorted([*nat, f"create {new}", f"create {new}-address"])
    agree(desk, nodes + 1)

    desk.pulumi("config", "set", "convscale:nodes", str(nodes))
    desk.up()
    gone = [line.replace("create", "delete") for line in nat]
    assert desk.asked() == sorted([*gone, f"delete {new}", f"delete {new}-address"])
    assert agree(desk, nodes)["hostfile"] == first["hostfile"]

    lost = f"convscale-{stack}-node{nodes}"
    desk.cloud.take(lost)
    desk.pulumi("refresh", "--yes")
    assert lost not in desk.known()
    desk.up()
    assert desk.asked() == [f"create {lost}"]
    agree(desk, nodes)

    # the head's disk has what was measured: plain Pulumi neither takes it away nor makes it anew
    before = dict(desk.cloud.compute.held)
    assert "cannot be deleted because it is protected" in " ".join(desk.pulumi("destroy", "--yes", fails=True).split())
    desk.pulumi("config", "set", "convscale:spot", "true")
    for command in ("preview", "up"):
        words = ["--yes"] if command == "up" else []
        assert "unable to replace resource" in desk.pulumi(command, *words, fails=True)
    assert desk.cloud.compute.held == before
    desk.destroy()
    assert desk.cloud.compute.held == {}
    assert not desk.locks()


def test_a_third_profile_is_settings_alone(sit):
    desk = sit("mid")
    (desk.tree / "Pulumi.mid.yaml").write_text(
        "config:\n  convscale:nodes: 2\n  convscale:machine_type: c3-highcpu-8\n"
    )
    desk.init(ssh_from="iap", spot="true", zone="europe-west1-b", operator_key="ssh-ed25519 AAAA ann")
    own = {"machine.vcpus": "8", "machine.memory_gib": "16", "machine.shared_core": "false"}
    prices = {"machine_per_hour": "0.35", "disk_gib_month": "0.11", "source": "the list", "date": "2026-11-01"}
    for key, value in {**own, **{f"prices.{name}": value for name, value in prices.items()}}.items():
        desk.pulumi("config", "set", "--path", f"convscale:{key}", value)
    desk.up()
    found = inventory.parse(desk.outputs()["inventory"], "outputs")
    assert [(node.slots, node.machine_type) for node in found.nodes] == [(8, "c3-highcpu-8")] * 2
    assert (found.nodes[0].ssh.via, found.key_file, desk.files.joinpath("id_ed25519").exists()) == ("iap", None, False)
    assert desk.cloud.compute.held["zones/europe-west1-b/instances/convscale-mid-node2"]
    desk.destroy()
    assert desk.cloud.compute.held == {}


def test_ipv6(sit):
    desk = sit("fat")
    desk.init(ssh_from="2600:1900::/64,203.0.113.7")
    desk.up()
    assert desk.cloud.names("Firewall") == ["convscale-fat-inside", "convscale-fat-ssh", "convscale-fat-ssh6"]
    desk.pulumi("config", "set", "convscale:ssh_from", "2600:1900::/64")
    desk.up()
    assert "delete convscale-fat-ssh" in desk.asked()
    assert desk.outputs()["inventory"]["nodes"][0]["ssh"]["host"] == "2600:1900::9"
    desk.destroy()
    assert desk.cloud.compute.held == {}
