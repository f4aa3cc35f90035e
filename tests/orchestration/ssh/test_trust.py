"""Host keys, from small SSH servers that do no more than show one."""

import contextlib
import socket
import threading

import paramiko
import pytest

from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.ssh import keys, trust
from orchestration.ssh.trust import KeyState
from tests.orchestration.clusters.test_inventory import NODES, document


@contextlib.contextmanager
def shown(folder):
    """A server with a key of its own; gives its port and its public key."""
    folder.mkdir(exist_ok=True)
    public = keys.make_pair(ClusterFolder(folder)).rsplit(" ", 1)[0]
    host_key = paramiko.Ed25519Key.from_private_key_file(str(ClusterFolder(folder).key))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def serve():
            while not stopped.is_set():
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    accepted, _ = listening.accept()
                    if stopped.is_set():
                        accepted.close()
                        return
                    transport = paramiko.Transport(accepted)
                    transport.add_server_key(host_key)
                    transport.start_server(server=paramiko.ServerInterface())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], public
        stopped.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listening.getsockname()).close()
        thread.join(5)


def machines(tmp_path, *ports):
    nodes = [
        NODES[0]
        | {"name": f"n{n}", "address": f"10.0.0.{n}", "ssh": {"via": "direct", "host": "127.0.0.1", "port": port}}
        for n, port in enumerate(ports, start=1)
    ]
    return parse(document(nodes=nodes, known_hosts=str(tmp_path / "known_hosts"), key_file=None), "test")


def test_nothing_is_trusted_until_it_is_pinned(tmp_path):
    with shown(tmp_path / "a") as (one, key_one), shown(tmp_path / "b") as (two, key_two):
        found = machines(tmp_path, one, two)
        before = trust.scan(found)
        assert [item.state for item in before] == [KeyState.NEW, KeyState.NEW]
        assert [item.key for item in before] == [key_one, key_two]
        assert not (tmp_path / "known_hosts").exists()
        trust.pin(found, before)
        assert [item.state for item in trust.scan(found)] == [KeyState.PINNED, KeyState.PINNED]


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path):
    import subprocess

    with shown(tmp_path / "a") as (port, _):
        item = trust.scan(machines(tmp_path, port))[0]
    command = ["ssh-keygen", "-lf", str(tmp_path / "a" / "id_ed25519.pub")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert item.fingerprint == printed.split()[1]


def test_a_changed_key_is_named_and_replaced_only_by_pinning(tmp_path):
    with shown(tmp_path / "a") as (port, key):
        found = machines(tmp_path, port)
        trust.pin(found, trust.scan(found))
    other = keys.make_pair(ClusterFolder(tmp_path)).rsplit(" ", 1)[0]
    known = tmp_path / "known_hosts"
    known.write_text(known.read_text().replace(key, other))
    with shown(tmp_path / "a") as (port, key):
        moved = machines(tmp_path, port)
        item = trust.scan(moved)[0]
        assert item.state is KeyState.CHANGED
        trust.pin(moved, [item])
        assert trust.pinned(moved) == {"n1": [key]}


def test_a_silent_node_keeps_the_key_that_it_had(tmp_path):
    with shown(tmp_path / "a") as (one, _), shown(tmp_path / "b") as (two, key_two):
        found = machines(tmp_path, one, two)
        trust.pin(found, trust.scan(found))
        trust.pin(found, [trust.Shown(found.nodes[1], None, KeyState.SILENT)])
        assert trust.pinned(found)["n2"] == [key_two]
    silent = trust.scan(found)
    assert [item.state for item in silent] == [KeyState.SILENT, KeyState.SILENT]
    assert all(item.why for item in silent)


def test_a_fingerprint_that_nobody_read_on_the_machine_is_refused(tmp_path):
    with shown(tmp_path / "a") as (one, _), shown(tmp_path / "b") as (two, _):
        items = trust.scan(machines(tmp_path, one, two))
    trust.expected(items, [item.fingerprint for item in items])
    with pytest.raises(Refusal, match=f"^n2 shows {items[1].fingerprint.replace('+', '.')}"):
        trust.expected(items, [items[0].fingerprint])


def test_nodes_behind_an_untrusted_head_are_not_asked(tmp_path):
    with shown(tmp_path / "a") as (port, _):
        head = NODES[0] | {"ssh": {"via": "direct", "host": "127.0.0.1", "port": port}}
        found = parse(document(nodes=[head, NODES[1]], known_hosts=str(tmp_path / "k"), key_file=None), "test")
        items = trust.scan(found)
    assert [item.state for item in items] == [KeyState.NEW, KeyState.SILENT]
    assert "first pin node1" in items[1].why


def test_an_unreadable_file_of_pins_is_refused(tmp_path):
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(Refusal, match="cannot be read"):
        trust.pinned(machines(tmp_path, 1))
