import pytest

from infra import hostfile
from orchestration.clusters import inventory
from orchestration.errors import Refusal

LIGHT = {
    "cluster": "light",
    "profile": "light",
    "default_study": "paper",
    "python": "/opt/convscale/venv/bin/python",
    "workdir": "/opt/convscale",
    "user": "convscale",
    "key_file": "id_ed25519",
    "known_hosts": "known_hosts",
    "interface_subnet": "10.0.0.0/24",
    "executor": "ssh",
    "transport": "tcp",
    "mixed_processors": True,
    "cpu_platform": None,
    "placement": None,
    "bandwidth_tier": "default",
    "slurm": None,
    "created_at": "2026-07-30T00:00:00Z",
    "expires_at": None,
    "price": {"amount_per_hour": 0.268, "currency": "USD", "date": "2026-07-30"},
}
NODES = [
    {
        "name": f"node{n}",
        "address": f"10.0.0.{n}",
        "slots": 1,
        "memory_bytes": 2**32,
        "machine_type": "e2-medium",
        "ssh": {"via": "direct", "host": "127.0.0.1", "port": 2200 + n} if n == 1 else {"via": "head"},
    }
    for n in (1, 2)
]


def document(**changes):
    return hostfile.describe(LIGHT, NODES)[1] | changes


def test_what_to_give_is_said_in_words():
    with pytest.raises(Refusal, match=r"nodes\[0\]\.address = '-x' is wrong: give a host's name or address: letters"):
        inventory.parse(document(nodes=[NODES[0] | {"address": "-x"}]), "i")


def test_what_infra_describes_is_an_inventory():
    found = inventory.parse(document(), "light")
    assert found.slots == 2
    assert found.nodes[0].ssh.port == 2201


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nodes": []}, "nodes"),
        ({"executor": "-rsh"}, "executor = '-rsh'"),
        ({"interface_subnet": "10.0.0.0/24 --mca x y"}, "interface_subnet"),
        ({"nodes": [NODES[0] | {"address": "-oProxyCommand=x"}]}, r"nodes\[0\].address"),
        ({"nodes": [NODES[0] | {"slots": 0}]}, r"nodes\[0\].slots = 0"),
        ({"nodes": [NODES[0] | {"ssh": {"via": "command"}}]}, r"nodes\[0\].ssh.via"),
        ({"nodes": [NODES[0] | {"slot": 1}]}, r"key nodes\[0\].slot is unknown \(did you mean slots\?\)"),
        ({"schema_version": 2}, "schema_version"),
        ({"nodes": [NODES[0], NODES[0]]}, "2 nodes have the name node1"),
        ({"nodes": [NODES[0], NODES[1] | {"address": NODES[0]["address"]}]}, "2 nodes have the address 10.0.0.1"),
        ({"nodes": [NODES[0] | {"address": "a;b"}]}, r"nodes\[0\].address = 'a;b'"),
        ({"nodes": [NODES[0] | {"address": "a b"}]}, r"nodes\[0\].address = 'a b'"),
        ({"nodes": [NODES[0] | {"address": "a\n"}]}, r"nodes\[0\].address"),
        ({"nodes": [NODES[0] | {"ssh": {"via": "direct", "host": "-oProxyCommand=x"}}]}, r"nodes\[0\].ssh.host"),
        ({"user": "-x"}, "user = '-x'"),
        ({"workdir": "/opt/my folder"}, "workdir = '/opt/my folder'"),
        ({"workdir": "/opt/../etc"}, "workdir"),
        ({"workdir": "opt"}, "workdir"),
        ({"python": "/v/bin/python;x"}, "python"),
        ({"interface_subnet": "10.0.0.0/99"}, "interface_subnet"),
        ({"expires_at": "soon"}, "expires_at = 'soon' is wrong.*give a time"),
    ],
)
def test_a_wrong_key_is_named(changes, words):
    with pytest.raises(Refusal, match=words):
        inventory.parse(document(**changes), "light")


def test_the_schema_describes_every_key():
    schema = inventory.json_schema()
    assert set(schema["properties"]) == set(document())
    assert schema["additionalProperties"] is False


def test_an_inventory_of_before_calls_its_executor_launcher():
    older = {("launcher" if key == "executor" else key): value for key, value in document().items()}
    assert inventory.parse(older, "light") == inventory.parse(document(), "light")
