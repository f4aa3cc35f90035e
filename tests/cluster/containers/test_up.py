"""What `fab up` leaves: nodes that are reached by pinned keys, in both directions, and within their limits."""

import json
import subprocess

import pytest

from orchestration.errors import Refusal
from orchestration.paths import RunsFolder
from orchestration.provision.containers.cluster import SHAPES
from orchestration.provision.containers.provider import take_down
from orchestration.ssh import trust
from orchestration.ssh.connection import Connection, target
from tests.cluster.containers.conftest import ROOT, started

NAMES = [f"node{n}" for n in range(1, 9)]


def test_inventory_and_hostfile_describe_the_nodes(light):
    found = light.inventory
    assert [node.name for node in found.nodes] == NAMES
    assert (found.profile, found.transport, found.executor, found.slots) == ("light", "tcp", "ssh", 8)
    assert light.folder.hostfile.read_text() == "".join(f"{node.address} slots=1\n" for node in found.nodes)
    assert [light.inside(node.name, "hostname", "-i").strip() for node in found.nodes] == [
        node.address for node in found.nodes
    ]


def test_the_operator_reaches_head_and_nodes_by_the_pinned_keys(light):
    for name in ("node1", "node8"):
        done = light.ssh(name, "hostname")
        assert done.stdout == f"{name}\n", done.stderr
    connection = Connection(target(light.inventory, light.inventory.nodes[4]))
    try:
        assert connection.run(["hostname"]).out == b"node5\n"
    finally:
        connection.close()
    assert {item.state for item in trust.scan(light.inventory)} == {trust.KeyState.PINNED}


def test_no_two_nodes_share_a_host_key(light):
    assert len({tuple(keys) for keys in trust.pinned(light.inventory).values()}) == 8


def test_the_head_alone_holds_the_key_between_nodes(light):
    for name in NAMES:
        files = light.inside(name, "ls", "/home/convscale/.ssh").split()
        assert ("id_ed25519" in files) == (name == "node1")
        assert light.inside("node1", "ssh", name, "hostname").strip() == name
    assert not list(light.folder.folder.glob("*head*"))


def test_the_nodes_key_opens_nothing_from_outside_the_clusters_network(light, tmp_path):
    stolen = tmp_path / "key"
    stolen.write_text(light.inside("node1", "cat", "/home/convscale/.ssh/id_ed25519"))
    stolen.chmod(0o600)
    subnet = light.inventory.interface_subnet
    light.inside(
        "node8", "sed", "-i", f's#from="{subnet}"#from="192.0.2.0/24"#', "/home/convscale/.ssh/authorized_keys"
    )
    try:
        with pytest.raises(Exception, match="Permission denied"):
            light.inside("node1", "ssh", "node8", "true")
    finally:
        light.containers.up("2026-01-01T00:00:00Z")  # writes the line again
    assert light.inside("node1", "ssh", "node8", "hostname").strip() == "node8"


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_nobody_else_may_log_in(light, user):
    done = light.ssh("node1", "true", options=("-l", user))
    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_the_nodes_user_is_not_root_and_cannot_become_it(light):
    assert light.inside("node3", "id", "-un").strip() == "convscale"
    done = light.ssh("node3", "sh", "-c", "'command -v sudo; echo x >/opt/convscale/venv/x || echo refused'")
    assert done.stdout.strip() == "refused"


def test_limits_are_the_profiles(light):
    shape = SHAPES["compose-light"]
    inspected = light.containers.engine.inspect("inspect", *light.ids().values())
    for item in inspected:
        limits = item["HostConfig"]
        assert limits["Memory"] == limits["MemorySwap"] == light.inventory.nodes[0].memory_bytes <= shape.memory_bytes
        assert limits["NanoCpus"] == shape.cpus * 10**9
        assert limits["ShmSize"] == limits["Memory"]
        assert not limits["Privileged"]


def test_a_node_says_what_it_is(light):
    told = json.loads(light.inside("node2", "cat", "/opt/convscale/ready.json"))
    assert (told["node"], told["role"]) == ("node2", "node")
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert told["packages"] == {name: pins[name] for name in told["packages"]}


def test_up_again_changes_nothing(light):
    before = light.ids(), light.folder.known_hosts.read_text(), light.folder.inventory.read_text()
    light.containers.up("2026-01-01T00:00:00Z")
    assert (light.ids(), light.folder.known_hosts.read_text(), light.folder.inventory.read_text()) == before


def test_build_tools_are_not_put_into_nodes_that_stand_without(light):
    with pytest.raises(Refusal, match="compose-light is up without build tools: 'fab down' it first"):
        light.containers.up("2026-01-01T00:00:00Z", build_tools=True)


def test_mpirun_by_hand_over_all_nodes(light):
    program = "from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.allreduce(c.rank), MPI.Get_processor_name())"
    venv = "/opt/convscale/venv/bin"
    command = [f"{venv}/mpirun", "--hostfile", "/opt/convscale/hostfile", f"{venv}/python", "-c", f"'{program}'"]
    done = light.ssh("node1", *command)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"28 {name}" for name in NAMES]


def test_a_host_key_that_changed_is_refused_until_it_is_pinned_again(light):
    node = light.inventory.nodes[7]
    key = "/etc/ssh/ssh_host_ed25519_key"
    light.inside("node8", "rm", key, user="root")
    light.containers.engine.docker("restart", "--time", "1", light.ids()["node8"])
    try:
        light.containers._ready("node8", light.ids()["node8"], float("inf"))
        connection = Connection(target(light.inventory, node))
        with pytest.raises(Refusal, match=f"node8 .* not the pinned one of {light.folder.known_hosts}"):
            connection.run(["true"])
        connection.close()
        states = {item.node.name: item.state for item in trust.scan(light.inventory)}
        assert states == dict.fromkeys(NAMES, trust.KeyState.PINNED) | {"node8": trust.KeyState.CHANGED}
        with pytest.raises(Exception, match="verification failed"):
            light.inside("node1", "ssh", "node8", "true")
    finally:
        light.containers.up("2026-01-01T00:00:00Z")
    assert light.ssh("node8", "hostname").stdout == "node8\n"


def test_what_lies_on_the_head_alone_is_not_taken_down(light, tmp_path):
    job = f"/opt/convscale/jobs/{'0' * 16}-01234567"
    light.inside("node1", "mkdir", job)
    try:
        with pytest.raises(Refusal, match=r"holds 1 runs that are not here .* --discard lets it go"):
            take_down(light.containers, RunsFolder(tmp_path), discard=False)
    finally:
        light.inside("node1", "rmdir", job)
    assert light.inside("node1", "hostname").strip() == "node1"


def test_one_node_with_what_the_machine_can_give_and_down_again(engine, tmp_path):
    other = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, text=True, check=True).stdout.split()
    cluster = started(engine, tmp_path, "compose-fat")
    fat = next(cluster)
    cpus = int(engine.docker("info", "--format", "{{.NCPU}}"))
    assert [(node.name, node.slots) for node in fat.inventory.nodes] == [("fat", min(16, cpus))]
    assert any("slots instead of 16" in line for line in fat.said) == (cpus < 16)
    assert fat.ssh("fat", "hostname").stdout == "fat\n"
    take_down(fat.containers, RunsFolder(tmp_path), discard=False)
    assert fat.ids() == {}
    assert not fat.folder.folder.exists()
    assert fat.containers.project not in engine.docker("network", "ls")
    left = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, text=True, check=True).stdout.split()
    assert set(other) <= set(left)
    cluster.close()  # nothing is there: nothing happens


def test_compose_alone_says_to_use_fab_up(engine):
    environment = {name: value for name, value in engine.environment.items() if not name.startswith("CONVSCALE_")}
    argv = [*engine.compose, "--file", str(ROOT / "compose.yaml"), "--profile", "light", "up", "--detach"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "fab up --cluster compose-light" in done.stderr
