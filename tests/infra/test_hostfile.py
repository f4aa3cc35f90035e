from hypothesis import given
from hypothesis import strategies as st

from infra import hostfile

NODES = [
    {"name": "node1", "address": "10.0.0.2", "slots": 2, "memory_bytes": 4},
    {"name": "node2", "address": "10.0.0.3", "slots": 1, "memory_bytes": 4},
]


def test_one_line_a_node_head_first():
    assert hostfile.hostfile(NODES) == "10.0.0.2 slots=2\n10.0.0.3 slots=1\n"


@given(st.lists(st.tuples(st.ip_addresses(v=4).map(str), st.integers(1, 512)), min_size=1, max_size=8))
def test_hostfile_and_inventory_agree(pairs):
    nodes = [{"name": f"n{i}", "address": address, "slots": slots} for i, (address, slots) in enumerate(pairs)]
    text, inventory = hostfile.describe({"cluster": "x"}, nodes)
    assert inventory["schema_version"] == hostfile.SCHEMA_VERSION
    assert inventory["cluster"] == "x"
    assert text.splitlines() == [f"{node['address']} slots={node['slots']}" for node in inventory["nodes"]]


def test_the_inventory_is_a_copy():
    inventory = hostfile.describe({}, NODES)[1]
    inventory["nodes"][0]["slots"] = 99
    assert NODES[0]["slots"] == 2
