"""The stand-in provider's table of what replaces a resource, at what the real one was seen and read to do."""

import copy

import pytest

from tests.infra.engine.replacing import changed, refusal, replacing
from tests.infra.engine.shapes import UNKNOWN

NODE = {
    "zone": "us-central1-a",
    "machineType": "e2-medium",
    "labels": {"owner": "ann"},
    "bootDisk": {"initializeParams": {"image": "one", "type": "pd-balanced", "size": 20, "labels": {"a": "b"}}},
    "networkInterfaces": [{"subnetwork": "s", "networkIp": "10.0.0.2", "stackType": "IPV4_ONLY"}],
    "scheduling": {"preemptible": False, "onHostMaintenance": "MIGRATE", "maxRunDuration": {"seconds": 1}},
    "metadata": {"startup-script": "one"},
}


def with_(path, value):
    found = copy.deepcopy(NODE)
    *way, last = path.split(".")
    place = found
    for word in way:
        place = place[int(word) if word.isdigit() else word]
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "replaces"),
    [
        ("zone", "us-central1-b", True),
        ("bootDisk.initializeParams.image", "two", True),
        ("bootDisk.initializeParams.type", "pd-ssd", True),
        ("scheduling.preemptible", True, True),
        ("scheduling.maxRunDuration", {"seconds": 2}, True),
        ("networkInterfaces.0.networkIp", "10.0.0.3", True),
        ("networkInterfaces", UNKNOWN, True),
        ("networkInterfaces.0.accessConfigs", [{}], False),
        ("bootDisk.initializeParams.size", 30, False),
        ("bootDisk.initializeParams.labels", {"a": "c"}, False),
        ("scheduling.onHostMaintenance", "TERMINATE", False),
        ("machineType", "e2-small", False),
        ("labels", {"owner": "bob"}, False),
        ("metadata", {"startup-script": "two"}, False),
    ],
)
def test_what_replaces_a_node(path, value, replaces):
    new = with_(path, value)
    assert [replacing("Instance", each, NODE, new) for each in changed(NODE, new)] == [replaces]


def test_an_address_moves_in_place_where_its_subnet_moves_too():
    new = with_("networkInterfaces.0.networkIp", "10.1.0.2")
    new["networkInterfaces"][0]["subnetwork"] = "t"
    assert not any(replacing("Instance", each, NODE, new) for each in changed(NODE, new))


@pytest.mark.parametrize(("new", "replaces"), [("10.0.0.0/23", False), ("10.1.0.0/24", True), ("10.0.0.0/25", True)])
def test_a_subnet_grows_in_place(new, replaces):
    assert replacing("Subnetwork", "ipCidrRange", {"ipCidrRange": "10.0.0.0/24"}, {"ipCidrRange": new}) is replaces


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("machineType", "e2-small", "allow_stopping_for_update"),
        ("networkInterfaces.0.stackType", "IPV4_IPV6", "allow_stopping_for_update"),
        ("bootDisk.initializeParams.size", 10, "cannot be reduced"),
        ("bootDisk.initializeParams.size", 30, ""),
        ("labels", {}, ""),
    ],
)
def test_what_fails_in_place(path, value, says):
    found = refusal("Instance", NODE, with_(path, value))
    assert says in found if says else found == ""
