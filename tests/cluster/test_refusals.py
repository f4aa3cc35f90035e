"""Host keys, and a person's mistakes: no run starts, one line says what is wrong and what to do, exit status 2."""

import datetime
import json

import pytest

from orchestration.clusters.folder import read_cluster
from orchestration.errors import Refusal
from orchestration.ssh.connection import Connection, target
from tests.cluster.host import WORKDIR
from tests.cluster.hosts import make_key
from tests.orchestration.support import ROOT
from workload.gpu import driver


def refused(done, *words):
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    return True


def test_a_changed_host_key_of_the_head(desk):
    pins = desk.hosts.inventory.parent / "known_hosts"
    first, second, *rest = pins.read_text().splitlines()
    changed = " ".join([*first.split()[:2], second.split()[2]])
    pins.write_text("\n".join([changed, second, *rest]) + "\n")
    assert refused(desk.sweep(), "shows the host key", "not the pinned one", "fab trust")
    assert not desk.paths.folder.exists()
    assert pins.read_text().splitlines()[0] == changed  # nothing was learned


def test_an_unknown_host_key_is_not_accepted_and_not_learned(desk):
    """Fabric's own default would accept it in silence."""
    pins = desk.hosts.inventory.parent / "known_hosts"
    others = "".join(pins.read_text().splitlines(keepends=True)[1:])
    pins.write_text(others)
    inventory = read_cluster(desk.hosts.inventory)
    connection = Connection(target(inventory, inventory.nodes[0]))
    with pytest.raises(Refusal, match="no pinned host key"):
        connection.open()
    assert refused(desk.sweep(), "node1 has no pinned host key")
    assert pins.read_text() == others


def test_a_changed_host_key_of_another_node(desk):
    pins = desk.hosts.inventory.parent / "known_hosts"
    lines = pins.read_text().splitlines()
    lines[2] = " ".join([*lines[2].split()[:2], lines[1].split()[2]])
    pins.write_text("\n".join(lines) + "\n")
    assert refused(desk.sweep(), "node3", "host key is not the pinned one", "fab trust")


def test_the_wrong_key(desk):
    make_key(desk.hosts.inventory.parent / "other")
    desk.hosts.describe(key_file="other")
    assert refused(desk.sweep(), "refuses user root with", "/other")
    desk.hosts.describe(key_file="missing")
    assert refused(desk.sweep(), "/missing")


def test_an_unreachable_address(desk):
    document = json.loads(desk.hosts.inventory.read_text())
    document["nodes"][1]["address"] = f"{desk.hosts.subnet}.200"
    desk.hosts.inventory.write_text(json.dumps(document))
    with (desk.hosts.inventory.parent / "known_hosts").open("a") as file:
        key = (desk.hosts.hosts[1].folder / "host_key.pub").read_text().split()
        file.write(f"{desk.hosts.subnet}.200 {key[0]} {key[1]}\n")
    assert refused(desk.sweep(), "node2", f"{desk.hosts.subnet}.200", "is it up, and its address right?")


def test_check_names_what_is_wrong_with_the_machines_themselves(desk):
    second, third, fourth = desk.hosts.hosts[1:]
    token = f"{'0' * 16}-01234567"
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=20)
    desk.hosts.describe(expires_at=soon.isoformat())
    document = json.loads(desk.hosts.inventory.read_text())
    document["nodes"][1]["slots"] = 999
    document["nodes"][2]["memory_bytes"] = 2**50
    desk.hosts.inventory.write_text(json.dumps(document))
    second.run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/dev/shm")
    disk = f"mount -t tmpfs -o size=1m tmpfs {WORKDIR} && ln -s {ROOT}/workload {WORKDIR}/workload"
    third.run("sh", "-c", disk)
    third.run("sh", "-c", f"sh -c 'sleep 60; true' {token} >/dev/null 2>&1 &")
    fourth.run("hostname", "node2")
    try:
        done = desk.fab("check", "--cluster", desk.hosts.inventory)
    finally:
        second.run("umount", "/dev/shm")
        third.run("umount", WORKDIR)
        fourth.run("hostname", "node4")
        for process in third.members():
            if any(token in word for word in process.cmdline()):
                process.kill()
    assert refused(
        done,
        "2 nodes call themselves node2",
        "node2 promises 999 slots",
        "node3 promises 1073741824 MiB",
        "node2: /dev/shm has 4 MiB free",
        f"node3: {WORKDIR} has 1 MiB free",
        f"node3 is at work on {token}",
        "s are left for",
    )
    assert "not tried" in done.stdout


@pytest.mark.skipif(driver.missing() is None, reason="this machine has a GPU")
def test_nodes_without_a_gpu(desk):
    """They are refused for what computes on one before anything runs; `fab check` asks those that must have one."""
    out = desk.folder / "of-gpus"
    flags = ("--backend", "cuda", "--movement", "device", "--out", out)
    done = desk.fab("sweep", "--cluster", desk.hosts.inventory, *flags)
    assert refused(done, f"backend cuda: {desk.hosts.head.name} has {driver.missing()}")
    assert not out.exists()

    done = desk.fab("check", "--cluster", desk.hosts.inventory)
    assert "NVIDIA" not in done.stdout
    document = json.loads(desk.hosts.inventory.read_text())
    document["nodes"][1]["gpus"] = 1
    desk.hosts.inventory.write_text(json.dumps(document))
    done = desk.fab("check", "--cluster", desk.hosts.inventory)
    assert refused(done, f"node2 has {driver.missing()}")
    for name in ("NVIDIA driver", "GPUs", "GPU memory", "nobody else on the GPUs"):
        assert name in done.stdout


def test_check_names_every_fault_at_once_and_is_content_when_they_are_mended(desk):
    desk.hosts.describe(interface_subnet="10.99.0.0/24")
    desk.hosts.hosts[3].cut()
    done = desk.fab("check", "--cluster", desk.hosts.inventory)
    desk.hosts.hosts[3].join()
    assert refused(done, "node4", "node1 does not reach node4", "node1 has no address in 10.99.0.0/24")
    desk.hosts.describe()
    done = desk.fab("check", "--cluster", desk.hosts.inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 nodes" in done.stdout
    assert "4 ranks" in done.stdout
    assert desk.clear()
