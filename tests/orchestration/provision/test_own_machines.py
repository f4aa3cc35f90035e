import json

import pytest

from orchestration.clusters.folder import ClusterFolder
from orchestration.errors import Refusal
from orchestration.provision.own_machines import (
    Login,
    Machines,
    add,
    describe,
    physical_cores,
    shared_network,
    total_memory,
)

LOGIN = Login("me", "/home/me/.ssh/id", "/opt/convscale/venv/bin/python", "/opt/convscale", "10.0.0.0/24")


def test_given_sizes_are_written_after_the_keys_are_trusted(tmp_path):
    folder = ClusterFolder(tmp_path / "mine")
    asked = []
    found = add(folder, Machines(["a", "10.0.0.2"], LOGIN, (4, 8)), "2026-01-01T00:00:00Z", asked.append)
    assert [item.known_hosts for item in asked] == [str(folder.known_hosts)]
    assert [(node.name, node.slots, node.memory_bytes) for node in found.nodes] == [
        ("a", 4, 8 * 2**30),
        ("10.0.0.2", 4, 8 * 2**30),
    ]
    assert json.loads(folder.inventory.read_text()) == found.model_dump(mode="json")
    assert folder.hostfile.read_text() == "a slots=4\n10.0.0.2 slots=4\n"
    assert found.transport == "auto"  # TCP is never forced on a person's own network


def test_keys_that_are_not_trusted_leave_no_cluster(tmp_path):
    def refuse(_):
        raise Refusal("nothing is pinned")

    folder = ClusterFolder(tmp_path / "mine")
    with pytest.raises(Refusal, match="nothing is pinned"):
        add(folder, Machines(["a"], LOGIN, (4, 8)), "", refuse)
    assert not folder.inventory.exists()


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a;b", "a b", "a\nb", "$(x)", ""])
def test_a_hostile_name_is_refused_before_anything_is_asked(tmp_path, host):
    with pytest.raises(Refusal, match="nodes"):
        add(ClusterFolder(tmp_path / "mine"), Machines([host], LOGIN, (4, 8)), "", lambda _: pytest.fail("asked"))


def test_no_host_is_refused(tmp_path):
    with pytest.raises(Refusal, match="nodes"):
        describe(ClusterFolder(tmp_path / "mine"), [], LOGIN, [], "")


def test_hardware_threads_of_a_core_count_once():
    assert physical_cores("# Core,Socket\n0,0\n1,0\n0,0\n1,0\n0,1\n1,1\n") == 4
    with pytest.raises(ValueError, match="no core"):
        physical_cores("command not found")


ADDRESSES = """\
2: eth0    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet6 2001:db8::2/64 scope global \\       valid_lft forever preferred_lft forever
3: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\\       valid_lft forever
"""


@pytest.mark.parametrize(
    ("others", "network"),
    [
        (["10.0.0.3", "10.0.0.4"], "10.0.0.0/24"),
        (["2001:db8::3"], "2001:db8::/64"),
        (["10.0.0.3", "10.0.1.4"], None),
        (["10.0.0.3", ""], None),
    ],
)
def test_the_network_between_the_machines_is_found(others, network):
    assert shared_network(ADDRESSES, others) == network
    assert shared_network("ip: command not found", others) is None


def test_memory_is_in_bytes():
    assert total_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n") == 2 * 2**20
    with pytest.raises(ValueError, match="MemTotal"):
        total_memory("")
