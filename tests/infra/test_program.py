"""The whole program under mocks: both profiles, the variants, previews, refusals."""

import json

import facts
import machines
import pulumi
import pytest
import rules

from orchestration.clusters import inventory
from tests.infra import program

VARIANTS = {
    "direct": {},
    "spot": {"convscale:spot": "true"},
    "iap": {"convscale:ssh_from": "iap"},
    "iap-external": {"convscale:ssh_from": "iap", "convscale:external_address": "true"},
    "ipv6": {"convscale:ssh_from": "2600:1900::/64"},
    "both": {"convscale:ssh_from": "2600:1900::/64,203.0.113.7"},
    "own-key": {"convscale:operator_key": "ssh-ed25519 AAAA ann"},
    "two-nodes": {"convscale:nodes": "2"},
    "compact": {"convscale:nodes": "2", "convscale:placement": "compact"},
    "ssd": {"convscale:disk_type": "pd-ssd", "convscale:disk_gib": "50"},
}
STACKS = {"fat": (1, 16), "light": (8, 1), "gpu": (1, 4)}  # nodes, and slots of each
EVERY = [(stack, name) for stack in STACKS for name in VARIANTS if (stack, name) != ("light", "compact")]


@pytest.fixture(params=EVERY, ids="-".join)
def ran(request, variant):
    stack, name = request.param
    return stack, name, variant(stack, VARIANTS[name])


def externals(node):
    return [
        interface
        for interface in node.inputs["networkInterfaces"]
        if interface.get("accessConfigs") or interface.get("ipv6AccessConfigs")
    ]


def test_every_variant_is_as_safe_as_the_rules(ran):
    stack, _, found = ran
    types = machines.read(program.ROOT / "infra/machines.toml").machines
    assert rules.broken([facts.read(each.kind, each.inputs) for each in found.resources], stack, types) == []


def test_every_variant_has_an_end_and_one_door(ran):
    stack, name, found = ran
    nodes = found.of("Instance")
    for node in nodes:
        first = node.inputs["name"] == f"convscale-{stack}-node1"
        assert node.inputs["scheduling"]["maxRunDuration"] == {"seconds": 4 * 3600}
        assert node.inputs["scheduling"]["instanceTerminationAction"] == ("STOP" if first else "DELETE")
        assert len(externals(node)) == (1 if first and name != "iap" else 0)
        assert "serviceAccount" not in node.inputs
        assert node.inputs["metadata"]["block-project-ssh-keys"] == "TRUE"
    assert all(each.inputs["name"].startswith(f"convscale-{stack}-") for each in found.resources)
    doors = {each.inputs["name"]: each.inputs["sourceRanges"] for each in found.of("Firewall")}
    asked = VARIANTS[name].get("convscale:ssh_from", "203.0.113.7/32")
    expected = {"35.235.240.0/20"} if asked == "iap" else {text.split("/")[0] for text in asked.split(",")}
    ssh = {text for door, texts in doors.items() if "-ssh" in door for text in texts}
    assert ssh == expected or {text.split("/")[0] for text in ssh} == expected
    assert doors[f"convscale-{stack}-inside"] == ["10.0.0.0/24"]


def test_no_secret_is_anywhere(ran):
    _, name, found = ran
    private = found.folder / "id_ed25519"
    assert private.exists() == (name != "own-key")
    for word in ("PRIVATE KEY", "passphrase", 'password":', "GOOGLE_CREDENTIALS"):
        assert word not in found.text
    if private.exists():
        body = private.read_text().splitlines()[1:-1]
        assert body
        # the private half's own lines: the first hold the public half too
        assert not any(line in found.text for line in body[2:])


def test_nodes_are_in_rank_order_and_the_inventory_is_one(ran):
    stack, name, found = ran
    inventory_ = inventory.parse(found.outputs["inventory"], "outputs")
    nodes = found.of("Instance")
    assert len(inventory_.nodes) == len(nodes) == (2 if name in ("two-nodes", "compact") else STACKS[stack][0])
    assert [node.address for node in inventory_.nodes] == [f"10.0.0.{rank + 2}" for rank in range(len(nodes))]
    assert [each["name"] for each in found.outputs["instances"]] == [
        f"convscale-{stack}-{n.name}" for n in inventory_.nodes
    ]
    by_name = {node.inputs["name"]: node.inputs["networkInterfaces"][0]["networkIp"] for node in nodes}
    assert all(by_name[f"convscale-{stack}-{node.name}"] == node.address for node in inventory_.nodes)
    slots = STACKS[stack][1]
    assert found.outputs["hostfile"] == "".join(f"{node.address} slots={slots}\n" for node in inventory_.nodes)
    assert (found.folder / "hostfile").read_text() == found.outputs["hostfile"]
    assert json.loads((found.folder / "inventory.json").read_text()) == found.outputs["inventory"]


@pytest.mark.parametrize(
    ("name", "ssh"),
    [
        ("direct", {"via": "direct", "host": "198.51.100.9"}),
        ("both", {"via": "direct", "host": "198.51.100.9"}),
        ("ipv6", {"via": "direct", "host": "2600:1900::9"}),
        ("iap", {"via": "iap", "project": "my-project", "zone": "us-central1-a", "instance": "convscale-fat-node1"}),
    ],
)
def test_how_the_operator_enters(tree, name, ssh):
    found = program.run(tree, "fat", VARIANTS[name] | {"convscale:nodes": "2"})
    nodes = found.outputs["inventory"]["nodes"]
    assert [nodes[0]["ssh"], nodes[1]["ssh"]] == [ssh, {"via": "head"}]


def test_times_are_utc_and_the_end_is_the_lifetimes(tree):
    found = program.run(tree, "fat", {"convscale:lifetime": "5400s"}).outputs
    assert found["inventory"]["created_at"] == "2026-11-23T02:00:00+00:00"
    assert found["inventory"]["expires_at"] == "2026-11-23T03:30:00+00:00"
    assert found["lifetime_s"] == 5400


def test_nat_stands_only_where_a_node_needs_it(tree):
    assert not program.run(tree, "fat").of("RouterNat")
    assert program.run(tree, "fat", VARIANTS["iap"]).of("RouterNat")
    assert program.run(tree, "light").of("RouterNat")


def test_the_nodes_run_the_tree_s_bootstrap_with_the_operators_key(tree):
    found = program.run(tree, "light")
    scripts = [node.inputs["metadata"]["startup-script"] for node in found.of("Instance")]
    key = (found.folder / "id_ed25519.pub").read_text().strip()
    assert all(key in script for script in scripts)
    assert [script.count("CONVSCALE_ROLE=head\n") for script in scripts] == [1] + [0] * 7


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_writes_nothing_and_knows_all_but_googles_values(tree, stack):
    before = sorted(tree.rglob("*"))
    found = program.run(tree, stack, preview=True)
    assert [each for each in sorted(tree.rglob("*")) if each not in before and "__pycache__" not in str(each)] == []
    made = program.run(tree, stack)
    assert len(found.resources) == len(made.resources)
    unknown = {key for key, value in found.outputs.items() if value is None}
    assert unknown == {"hostfile", "inventory"}
    assert all(found.outputs[key] == made.outputs[key] for key in set(found.outputs) - unknown)


@pytest.fixture
def registered(monkeypatch):
    """Names of whatever the program registers."""
    seen = []
    real = program.Google.new_resource
    monkeypatch.setattr(program.Google, "new_resource", lambda *given: seen.append(given[1].name) or real(*given))
    return seen


def test_a_preview_of_a_cluster_that_stands_writes_nothing(tree):
    found = program.run(tree, "fat", preview=True, stands=True)
    assert found.outputs["inventory"]["created_at"] == "2026-11-23T02:00:00+00:00"
    assert not found.folder.exists()


def test_a_node_with_a_gpu(tree):
    found = program.run(tree, "gpu")
    (node,) = found.of("Instance")
    assert node.inputs["machineType"] == "g2-standard-4"
    assert "guestAccelerators" not in node.inputs  # built in
    assert node.inputs["scheduling"]["onHostMaintenance"] == "TERMINATE"
    assert node.inputs["scheduling"]["automaticRestart"] is False
    assert "-with-nvidia-" in node.inputs["bootDisk"]["initializeParams"]["image"]
    assert node.inputs["shieldedInstanceConfig"]["enableSecureBoot"] is True
    assert "export CONVSCALE_GPUS=1\n" in node.inputs["metadata"]["startup-script"]
    (described,) = found.outputs["inventory"]["nodes"]
    assert described["gpus"] == 1
    assert {each["metric"]: each["needed"] for each in found.outputs["quota"]}["NVIDIA_L4_GPUS"] == 1


@pytest.mark.parametrize("stack", ["fat", "light"])
def test_nodes_without_one_are_as_they_were(tree, stack):
    found = program.run(tree, stack)
    for node in found.of("Instance"):
        assert "debian-12" in node.inputs["bootDisk"]["initializeParams"]["image"]
        assert "export CONVSCALE_GPUS=0\n" in node.inputs["metadata"]["startup-script"]
    assert not any("gpus" in each for each in found.outputs["inventory"]["nodes"])
    assert not [each for each in found.outputs["quota"] if "GPUS" in each["metric"]]


def test_the_network_is_our_own_and_fast(tree):
    found = program.run(tree, "light")
    (network,) = found.of("Network")
    assert (network.inputs["mtu"], network.inputs["autoCreateSubnetworks"]) == (8896, False)
    for node in found.of("Instance"):
        assert node.inputs["networkInterfaces"][0]["nicType"] == "GVNIC"
        assert node.inputs["metadata"]["enable-guest-attributes"] == "TRUE"
        assert node.inputs["shieldedInstanceConfig"]["enableSecureBoot"] is True
    (ssh,) = [each for each in found.of("Firewall") if each.inputs["name"] == "convscale-light-ssh"]
    assert ssh.inputs["targetTags"] == ["convscale-light-node1"]
    assert [node.inputs["tags"] for node in found.of("Instance")][:2] == [[f"convscale-light-node{n}"] for n in (1, 2)]


def test_what_the_engine_is_told_of_each_resource(tree):
    found = program.run(tree, "light")
    ours = {name: each for name, each in found.requests.items() if each.type.startswith("gcp:")}
    # Google's names are taken until the old one is gone
    assert all(each.deleteBeforeReplace for each in ours.values())
    # the expiry is the clock's: a second `up` must change nothing
    labelled = {name: list(each.ignoreChanges) for name, each in ours.items() if each.ignoreChanges}
    disk, image = "bootDisk.initializeParams.labels", "bootDisk.initializeParams.image"
    assert labelled == {
        f"convscale-light-node{n}{kind}": paths
        for n in range(1, 9)
        for kind, paths in (("", ["labels", disk, image]), ("-address", ["labels"]))
    }
    # what was measured lies on rank 0's disk alone
    assert [name for name, each in ours.items() if each.protect] == ["convscale-light-node1"]
    # no node starts before its way to the packages
    assert all(
        any(":RouterNat::" in urn for urn in each.dependencies)
        for each in ours.values()
        if each.type.endswith(":Instance")
    )


def test_an_image_that_somebody_chose_is_no_default_to_be_kept(tree):
    chosen = program.run(tree, "fat", {"convscale:image": "projects/p/global/images/mine-1"})
    assert "bootDisk.initializeParams.image" not in chosen.requests["convscale-fat-node1"].ignoreChanges


def test_nodes_that_are_to_stand_close_together(tree):
    found = program.run(tree, "fat", VARIANTS["compact"])
    (policy,) = found.of("ResourcePolicy")
    assert policy.inputs["groupPlacementPolicy"] == {"collocation": "COLLOCATED"}
    for node in found.of("Instance"):
        assert node.inputs["resourcePolicies"] == "https://google/convscale-fat-placement"
        assert node.inputs["scheduling"]["onHostMaintenance"] == "TERMINATE"
    assert found.outputs["inventory"]["placement"] == "compact"


def test_open_ports_are_said(tree):
    access = program.run(tree, "light", VARIANTS["iap"]).outputs["access"]
    assert access["ssh_from"] == ["iap"]
    assert access["open_ports"] == [
        {"protocol": "tcp", "ports": ["22"], "from": ["35.235.240.0/20"], "to": "convscale-light-node1"},
        {"protocol": "all", "ports": [], "from": ["10.0.0.0/24"], "to": "all nodes"},
    ]


def refusal(tree, stack, config, secret=()):
    with pytest.raises(pulumi.RunError) as caught:
        program.run(tree, stack, config, secret=secret)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"convscale:ssh_from": "0.0.0.0/1,128.0.0.0/1"},
        {"convscale:nodes": "0"},
        {"convscale:lifetime": "30d"},
        {"gcp:project": ""},
        {"convscale:colour": "red"},
    ],
)
def test_a_refusal_comes_before_anything_is_registered(tree, config, registered):
    assert next(iter(config)) in refusal(tree, "fat", config)
    assert not registered


@pytest.mark.parametrize("key", ["convscale:ssh_from", "convscale:owner", "gcp:project"])
def test_a_setting_that_cannot_stay_secret_is_refused(tree, key, registered):
    said = refusal(tree, "fat", {"convscale:owner": "ann"}, [key])
    assert said.startswith(f"{key} is set as a secret, which it cannot stay")
    assert not registered
    program.run(tree, "fat", secret=["gcp:credentials"])


def test_a_broken_rule_stops_the_program_before_anything_is_registered(tree, monkeypatch, registered):
    import cluster

    def external(rank_0_only):
        def interface(profile, _rank, *links):
            return rank_0_only(profile, 0, *links)

        return interface

    monkeypatch.setattr(cluster, "_interface", external(cluster._interface))
    assert "convscale-light-node2: only rank 0's node may have an external address (and 6 more)" in refusal(
        tree, "light", {}
    )
    assert not registered


def test_another_lifetime_of_a_cluster_that_stands_is_refused(tree):
    file = program.run(tree, "fat").folder / "inventory.json"
    program.run(tree, "fat")  # the same again is no other
    said = refusal(tree, "fat", {"convscale:lifetime": "5h"})
    assert "was made for 14400s" in said
    assert str(file) in said
    file.unlink()
    program.run(tree, "fat", {"convscale:lifetime": "5h"})


def test_an_inventory_that_is_none_is_refused(tree):
    folder = program.run(tree, "fat").folder
    (folder / "inventory.json").write_text("{}")
    assert "is no inventory of ours" in refusal(tree, "fat", {})


def test_a_key_that_is_none_is_refused(tree):
    folder = tree / "infra/clusters/fat"
    folder.mkdir(parents=True)
    (folder / "id_ed25519").write_text("mine")
    assert "id_ed25519: no key can be read" in refusal(tree, "fat", {})


def test_a_third_profile_is_a_stack_file_and_no_code(tree):
    (tree / "Pulumi.mid.yaml").write_text(
        "config:\n  convscale:nodes: 3\n  convscale:machine_type: c3-highcpu-8\n"
        "  convscale:machine: {vcpus: 8, memory_gib: 16}\n"
        "  convscale:prices: {machine_per_hour: 0.35, disk_gib_month: 0.1, source: the list, date: '2026-11-01'}\n"
    )
    found = program.run(tree, "mid")
    assert [node.inputs["machineType"] for node in found.of("Instance")] == ["c3-highcpu-8"] * 3
    assert found.outputs["inventory"]["nodes"][2]["slots"] == 8
    assert {"metric": "C3_CPUS", "needed": 24} in found.outputs["quota"]
