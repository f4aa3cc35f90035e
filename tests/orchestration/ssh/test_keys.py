import stat
import subprocess

import pytest

from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.ssh import keys
from tests.orchestration.clusters.test_inventory import document

KEYS = {"node1": "ssh-ed25519 AAAA1", "node2": "ssh-ed25519 AAAA2"}


def test_a_pair_is_made_once_and_read_by_nobody_else(tmp_path):
    folder = ClusterFolder(tmp_path)
    line = keys.make_pair(folder)
    private = folder.key.read_bytes()
    assert stat.S_IMODE(folder.key.stat().st_mode) == 0o600
    assert keys.make_pair(folder) == line
    assert folder.key.read_bytes() == private
    assert folder.public_key.read_text() == line + "\n"


def test_openssh_reads_the_pair(tmp_path):
    folder = ClusterFolder(tmp_path)
    line = keys.make_pair(folder)
    said = subprocess.run(["ssh-keygen", "-y", "-f", str(folder.key)], capture_output=True, text=True, check=True)
    assert said.stdout.split()[:2] == line.split()[:2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-rsa AAAA x",
        "ssh-ed25519",
        "ssh-ed25519 AA AA\nssh-ed25519 BB",
        'command="x" ssh-ed25519 AAAA',
        "<html>",
    ],
)
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(Refusal, match="node3 gives"):
        keys.public_key(text, "node3")


def test_a_public_key_loses_its_comment():
    assert keys.public_key("ssh-ed25519 AAAA root@x y\n", "node3") == "ssh-ed25519 AAAA"


def test_the_head_is_admitted_from_the_clusters_network_alone():
    line = keys.admission("ssh-ed25519 AAAA", "10.0.0.0/24")
    assert line == 'from="10.0.0.0/24",restrict ssh-ed25519 AAAA head\n'


def test_nodes_know_each_other_by_name_and_address():
    text = keys.between_nodes(parse(document(), "x"), KEYS)
    assert text == "node1,10.0.0.1 ssh-ed25519 AAAA1\nnode2,10.0.0.2 ssh-ed25519 AAAA2\n"


def test_the_operator_knows_how_it_reaches_them():
    found = parse(document(), "x")
    assert keys.for_operator(found, KEYS).splitlines() == [
        "[127.0.0.1]:2201 ssh-ed25519 AAAA1",
        "10.0.0.1 ssh-ed25519 AAAA1",
        "10.0.0.2 ssh-ed25519 AAAA2",
    ]
    assert keys.for_operator(found, {"node2": "ssh-ed25519 AAAA2"}) == "10.0.0.2 ssh-ed25519 AAAA2\n"
