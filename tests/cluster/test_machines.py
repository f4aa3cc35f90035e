"""A person's own machines, from their names alone: keys compared and pinned, then asked what they have."""

import sys

import psutil
import pytest

from orchestration.clusters.folder import ClusterFolder, read_cluster
from orchestration.errors import Refusal
from orchestration.provision.own_machines import Login, Machines, add
from orchestration.ssh import trust
from tests.cluster.host import WORKDIR


def pinned_by(fingerprints):
    """Trusts what the person read on the machines."""

    def compare(found):
        shown = trust.scan(found)
        trust.expected(shown, fingerprints)
        trust.pin(found, shown)

    return compare


def fingerprints(hosts):
    """As a person reads them at each machine's keyboard."""
    return [host.run("ssh-keygen", "-lf", "/mnt/host_key.pub").split()[1] for host in hosts.hosts]


@pytest.fixture
def login(hosts):
    return Login("root", str(hosts.inventory.parent / "id_ed25519"), sys.executable, WORKDIR, None)


def test_names_become_a_cluster_that_can_be_reached(hosts, login, tmp_path):
    addresses = [host.address for host in hosts.hosts]
    folder = ClusterFolder(tmp_path / "mine")
    add(folder, Machines(addresses, login), "2026-01-01T00:00:00Z", pinned_by(fingerprints(hosts)))
    found = read_cluster(folder.inventory)
    assert [node.address for node in found.nodes] == addresses
    assert found.interface_subnet == f"{hosts.subnet}.0/24"
    assert {node.slots for node in found.nodes} == {psutil.cpu_count(logical=False)}
    assert {node.memory_bytes for node in found.nodes} == {psutil.virtual_memory().total}
    assert {item.state for item in trust.scan(found)} == {trust.KeyState.PINNED}


def test_a_machine_with_another_key_ends_it(hosts, login, tmp_path):
    folder = ClusterFolder(tmp_path / "mine")
    known = fingerprints(hosts)[:-1]
    with pytest.raises(Refusal, match=f"^{hosts.hosts[-1].address} shows SHA256:.*so nothing is pinned"):
        add(folder, Machines([host.address for host in hosts.hosts], login), "", pinned_by(known))
    assert not folder.folder.exists()


def test_a_machine_that_does_not_answer_is_named(hosts, login, tmp_path):
    addresses = [hosts.head.address, f"{hosts.subnet}.77"]
    with pytest.raises(Refusal, match=rf"{hosts.subnet}.77 does not say its cores and memory"):
        add(ClusterFolder(tmp_path / "mine"), Machines(addresses, login), "", pinned_by(fingerprints(hosts)))
