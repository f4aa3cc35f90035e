"""Which planned changes touch nodes that stand, and how they are told."""

import pytest

from orchestration.provision.cloud.clients.events import Change, Difference
from orchestration.provision.cloud.standing import disruptions, ordered, setting_of, told

KIND = "gcp:compute/instance:Instance"


def change(what, path, old, new, replaces=False, name="n1", kind=KIND):
    return Change(what, kind, name, f"urn::{name}", (Difference(path, old, new, replaces),))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("machineType", "e2-medium", "n2-highcpu-16"),
        ("minCpuPlatform", None, "Intel Ice Lake"),
        ("advancedMachineFeatures.threadsPerCore", 2, 1),
        ("networkInterfaces[0].stackType", "IPV4_ONLY", "IPV4_IPV6"),
        ("resourcePolicies", None, "p"),
        ("bootDisk.initializeParams.size", 20, 10),
    ],
)
def test_what_google_does_only_to_a_stopped_node(path, old, new):
    (found,) = disruptions([change("change", path, old, new)])
    assert (found.node, found.urn) == ("n1", "urn::n1")
    assert f"{path}, convscale:" in told([found])
    assert f": {old if old is not None else 'none'} -> {new}" in told([found])


@pytest.mark.parametrize(
    ("what", "path", "old", "new"),
    [
        ("change", "bootDisk.initializeParams.size", 20, 30),
        ("change", 'metadata["startup-script"]', "a", "b"),
        ("change", "networkInterfaces[0].accessConfigs", None, [{}]),
        ("change", "labels.owner", "a", "b"),
        ("create", "machineType", None, "e2-medium"),
        ("delete", "machineType", "e2-medium", None),
        ("delete the old", "zone", "a", "b"),  # told with what takes its place
    ],
)
def test_what_touches_no_node(what, path, old, new):
    assert disruptions([change(what, path, old, new)]) == []


def test_another_resource_is_no_node():
    assert disruptions([change("make anew", "x", 1, 2, replaces=True, kind="gcp:compute/address:Address")]) == []


def test_a_replacement_names_what_it_is_for_and_not_what_comes_along():
    step = Change("make anew", KIND, "n1", "u", (Difference("zone", "a", "b", True), Difference("labels", 1, 2, False)))
    assert told(disruptions([step])) == "n1 (zone, convscale:zone: a -> b)"


def test_a_replacement_for_nothing_of_its_own():
    assert told(disruptions([Change("make anew", KIND, "n1", "u")])) == "n1 (for another resource of theirs)"


def test_many_nodes_are_one_line():
    steps = [change("make anew", "zone", "a", "b", replaces=True, name=f"n{number}") for number in (10, 2, 1)]
    assert told(disruptions(steps)) == "n1 and 2 other nodes (zone, convscale:zone: a -> b)"
    assert ordered(["n10", "n2", "n1"]) == ["n1", "n2", "n10"]


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("scheduling.maxRunDuration.seconds", "lifetime"),
        ("scheduling.provisioningModel", "spot"),
        ("networkInterfaces.networkIp", "subnet"),
        ("hostname", ""),
    ],
)
def test_settings_are_named(path, setting):
    assert setting_of(path) == setting
