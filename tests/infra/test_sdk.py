"""What mocks take without a word: misspelt keys below the first level, wrong types and words, the same name twice.

The SDK's own argument classes say what the provider takes; the mutations prove that each fault is found.
"""

from collections import Counter

import cluster
import network
import pytest

from tests.infra import program
from tests.infra.engine import shapes
from tests.infra.test_program import EVERY, VARIANTS


def faults(found):
    """(resource, path) of whatever the provider would refuse, and of names that two resources share."""
    wrong = [(each.name, path) for each in found.resources for path, _ in shapes.faults(each.kind, each.inputs)]
    urns = Counter((each.kind, each.name) for each in found.resources)
    names = Counter((each.kind, each.inputs.get("name")) for each in found.resources)
    return [*wrong, *((str(name), "twice") for (_, name), count in [*urns.items(), *names.items()] if count > 1)]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(("stack", "name"), EVERY)
def test_the_provider_would_take_every_variant(variant, stack, name, preview):
    assert faults(variant(stack, VARIANTS[name], preview)) == []


def changed(module, builder, change, monkeypatch):
    """Makes what a builder returns another, behind the typed classes' back."""
    real = getattr(module, builder)

    def built(*given, **named):
        args = real(*given, **named)
        change(args)
        return args

    monkeypatch.setattr(module, builder, built)


@pytest.mark.parametrize(
    ("module", "builder", "attribute", "value", "path"),
    [
        # misspelt keys
        (cluster, "instance", "shielded_instance_config", {"enableSecureBoot": True, "enableVtmp": True}, "enableVtmp"),
        (cluster, "_scheduling", "max_run_duration", {"seconds": 14400, "nano": 0}, "nano"),
        (network, "subnetwork", "log_config", {"flowSamplings": 1.0}, "flowSamplings"),
        (network, "nat", "subnetworks", [{"name": "x", "sourceIpRangeToNats": ["PRIMARY_IP_RANGE"]}], "sourceIpRange"),
        # words that Google does not know
        (cluster, "_interface", "nic_type", "GVNICS", "nicType"),
        (cluster, "_interface", "stack_type", "IPV4", "stackType"),
        (cluster, "_scheduling", "provisioning_model", "PREEMPTIBLE", "provisioningModel"),
        (cluster, "_scheduling", "on_host_maintenance", "MIGRATES", "onHostMaintenance"),
        (cluster, "address", "purpose", "GCE_ENDPOINTS", "purpose"),
        (network, "network", "routing_mode", "LOCAL", "routingMode"),
        (network, "nat", "nat_ip_allocate_option", "AUTO", "natIpAllocateOption"),
        (network, "nat", "source_subnetwork_ip_ranges_to_nat", "SUBNETWORKS", "sourceSubnetworkIpRangesToNat"),
        # wrong types
        (network, "network", "mtu", "8896", "mtu"),
        (cluster, "instance", "can_ip_forward", "false", "canIpForward"),
        (cluster, "instance", "tags", "node", "tags"),
        # names
        (network, "router", "name", "convscale-light-Router", "name"),
    ],
)
def test_a_fault_that_mocks_let_pass_is_found(tree, monkeypatch, module, builder, attribute, value, path):
    changed(module, builder, lambda args: setattr(args, attribute, value), monkeypatch)
    found = faults(program.run(tree, "light"))  # the mocks say nothing
    assert [each for each in found if path in each[1]], found


def test_two_nodes_of_one_name_are_found(tree, monkeypatch):
    changed(cluster, "instance", lambda args: setattr(args, "name", "convscale-light-node2"), monkeypatch)
    monkeypatch.setattr("rules.head", lambda _: "convscale-light-node2")
    monkeypatch.setattr("rules.broken", lambda *_: [])
    assert ("convscale-light-node2", "twice") in faults(program.run(tree, "light"))


def test_two_firewall_rules_of_one_name_are_found(tree, monkeypatch):
    real = network.firewalls
    monkeypatch.setattr(network, "firewalls", lambda *given: [*real(*given), real(*given)[-1]])
    assert ("convscale-fat-inside", "twice") in faults(program.run(tree, "fat"))


def test_no_dictionary_stands_where_a_typed_class_belongs():
    """Dictionaries of properties are what misspelling needs: only labels and metadata, which are maps, may be some."""
    import ast

    for file in (program.ROOT / "infra/network.py", program.ROOT / "infra/cluster.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        named = [
            keyword for call in calls if ast.unparse(call.func).startswith("compute.") for keyword in call.keywords
        ]
        assert named
        assert {each.arg for each in named if isinstance(each.value, ast.Dict)} <= {"metadata", "labels"}
