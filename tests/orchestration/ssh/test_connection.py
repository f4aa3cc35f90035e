"""How a node is reached, and by which key it is known."""

import os
import shlex
import socket
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.clusters import inventory as inventories
from orchestration.errors import Refusal
from orchestration.ssh import connection as ssh
from orchestration.ssh.connection import (
    OWN_SESSION,
    Connection,
    UnreachableError,
    node_known_hosts,
    quote,
    target,
)
from tests.orchestration.clusters.test_inventory import document

KEYS = [
    "AAAAC3NzaC1lZDI1NTE5AAAAIJxJmA1WcVxsNOc4XGfVwQ1Kd0UQ5pzqVYpVRQHWHtkz",
    "AAAAC3NzaC1lZDI1NTE5AAAAIA1lZDI1NTE5AAAAIJxJmA1WcVxsNOc4XGfVwQ1Kd0UQ",
]


class Mute(paramiko.ServerInterface):
    """Lets anybody in, grants every subsystem, and says no word more."""

    def check_auth_publickey(self, *_):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, *_):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, *_):
        return True


def _key(folder):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    return str(folder / "key")


def cluster(tmp_path, pins="", **changes):
    (tmp_path / "known_hosts").write_text(pins)
    return inventories.parse(document(known_hosts=str(tmp_path / "known_hosts"), key_file=None) | changes, "light")


def test_direct_and_through_the_head(tmp_path):
    found = cluster(tmp_path)
    head, second = (target(found, node) for node in found.nodes)
    assert (head.host, head.port, head.user, head.through) == ("127.0.0.1", 2201, "convscale", None)
    assert (second.host, second.port, second.through) == ("10.0.0.2", 22, head)


def test_through_googles_tunnel_by_a_list_of_ours(tmp_path):
    ssh = {"via": "iap", "project": "p", "zone": "z", "instance": "i"}
    nodes = [{**document()["nodes"][0], "ssh": ssh}]
    (node,) = cluster(tmp_path, nodes=nodes).nodes
    assert target(cluster(tmp_path, nodes=nodes), node).tunnel == (
        *(*OWN_SESSION, "gcloud", "compute", "start-iap-tunnel", "i", "22"),
        *("--project=p", "--zone=z", "--listen-on-stdin"),
    )


def test_the_tunnel_is_out_of_reach_of_ctrl_c(tmp_path, monkeypatch):
    """A terminal sends Ctrl-C to every process of its session: the tunnel has one of its own."""
    (tmp_path / "bin").mkdir()
    gcloud = tmp_path / "bin" / "gcloud"
    seen = tmp_path / "seen"
    gcloud.write_text(f'#!/bin/sh\necho "$(ps -o sid= -p $$) $*" >{seen}\n')
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", str(gcloud.parent), prepend=":")
    monkeypatch.setattr(ssh, "TUNNEL_S", 1.0)
    via = {"via": "iap", "project": "p", "zone": "z", "instance": "i"}
    found = cluster(
        tmp_path,
        f"127.0.0.1 ssh-ed25519 {KEYS[0]}\n",
        nodes=[{**document()["nodes"][0], "address": "127.0.0.1", "ssh": via}],
    )
    with closing(Connection(target(found, found.nodes[0]))) as connection, pytest.raises((UnreachableError, Refusal)):
        connection.open()
    session, *words = seen.read_text().split()
    assert int(session) != os.getsid(0)
    assert words[:4] == ["compute", "start-iap-tunnel", "i", "22"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"known_hosts": None}, "no known_hosts"),
        ({"user": None}, "no user"),
        ({"nodes": [{**document()["nodes"][0], "ssh": {"via": "head"}}]}, "cannot be reached through itself"),
        ({"nodes": [{**document()["nodes"][0], "ssh": {"via": "iap"}}]}, "needs project, zone and instance"),
    ],
)
def test_an_inventory_that_does_not_say_enough(tmp_path, changes, words):
    found = cluster(tmp_path, **changes)
    with pytest.raises(Refusal, match=words):
        target(found, found.nodes[0])


def test_pins_by_the_name_that_the_nodes_use(tmp_path):
    pins = f"[127.0.0.1]:2201 ssh-ed25519 {KEYS[0]}\n10.0.0.2 ssh-ed25519 {KEYS[1]}\n"
    assert node_known_hosts(cluster(tmp_path, pins)) == (
        f"10.0.0.1 ssh-ed25519 {KEYS[0]}\n10.0.0.2 ssh-ed25519 {KEYS[1]}\n"
    )


def test_a_node_without_a_pin_is_named(tmp_path):
    with pytest.raises(Refusal, match="node2 has no pinned host key"):
        node_known_hosts(cluster(tmp_path, f"[127.0.0.1]:2201 ssh-ed25519 {KEYS[0]}\n"))


def test_nobody_answers(tmp_path):
    found = cluster(tmp_path, f"[127.0.0.1]:1 ssh-ed25519 {KEYS[0]}\n")
    node = found.nodes[0].model_copy(update={"ssh": inventories.Ssh(via="direct", host="127.0.0.1", port=1)})
    with pytest.raises(UnreachableError, match=r"node1 \(127.0.0.1:1\)"):
        Connection(target(found, node)).open()


def test_missing_pins(tmp_path):
    found = cluster(tmp_path)
    Path(found.known_hosts).unlink()
    with pytest.raises(Refusal, match="cannot be read"):
        Connection(target(found, found.nodes[0])).open()


def test_a_file_server_that_never_speaks_does_not_hang_us(tmp_path, monkeypatch):
    """It was seen on a head whose disk hung: the session opens, and the greeting never comes."""
    monkeypatch.setattr(ssh, "CONNECT_S", 0.2)
    ours, theirs = socket.socketpair()
    key = paramiko.Ed25519Key.from_private_key_file(_key(tmp_path))
    with closing(paramiko.Transport(theirs)) as server, closing(paramiko.Transport(ours)) as client:
        server.add_server_key(key)
        server.start_server(server=Mute(), event=threading.Event())
        client.connect(username="u", pkey=key)
        connection = Connection(target(cluster(tmp_path), cluster(tmp_path).nodes[0]))
        connection._fabric = SimpleNamespace(transport=client, close=client.close)
        with pytest.raises(UnreachableError, match="no answer in time"):
            connection.files()


@given(st.lists(st.text(st.characters(exclude_characters="\0"))))
def test_no_word_reaches_the_shell_as_anything_else(argv):
    assert shlex.split(quote(argv)) == argv
