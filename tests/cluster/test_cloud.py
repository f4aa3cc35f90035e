"""What `fab up`, `down` and `pull` of a cloud cluster do over SSH, on hosts with the real ssh and sshd."""

import time

import pytest

from orchestration.clusters.folder import read_cluster
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.provision import unfetched
from orchestration.provision.cloud import pairing
from orchestration.ssh import keys
from tests.cluster.host import wait_for

UTC = "2026-11-23T02:10:00+00:00"


@pytest.fixture
def inventory(desk):
    return read_cluster(desk.hosts.inventory)


def host_keys(desk):
    found = {}
    for host in desk.hosts.hosts:
        found[host.name] = keys.public_key((host.folder / "host_key.pub").read_text(), host.name)
    return found


@pytest.fixture
def homes(desk):
    """/home/<user>, where bootstrap.sh puts a user's keys; the hosts' user is root."""
    for host in desk.hosts.hosts:
        host.run("sh", "-c", "mount -t tmpfs tmpfs /home && ln -s /mnt/home /home/root")
    public = desk.hosts.head.folder / "home" / ".ssh" / "id_ed25519.pub"
    public.write_text((desk.hosts.inventory.parent / "node_key.pub").read_text())
    yield
    for host in desk.hosts.hosts:
        host.run("umount", "/home")
        for name in ("authorized_keys", "known_hosts", "id_ed25519.pub"):
            (host.folder / "home" / ".ssh" / name).unlink(missing_ok=True)
        (host.folder / "convscale" / "hostfile").unlink(missing_ok=True)


@pytest.mark.usefixtures("homes")
def test_the_heads_key_comes_to_every_node(desk, inventory):
    pairing.pair(inventory, host_keys(desk), time.monotonic, time.sleep)
    head_key = (desk.hosts.inventory.parent / "node_key.pub").read_text().split()[1]
    for host in desk.hosts.hosts:
        admitted = host.run("cat", "/home/root/.ssh/authorized_keys")
        assert admitted == f'from="{desk.hosts.subnet}.0/24",restrict ssh-ed25519 {head_key} head\n'
        assert host.run("cat", "/home/root/.ssh/known_hosts").count("ssh-ed25519") == 4
        assert host.run("cat", "/mnt/convscale/hostfile") == "".join(
            f"{node.address} slots={node.slots}\n" for node in inventory.nodes
        )


@pytest.mark.usefixtures("homes")
def test_a_node_with_another_host_key_is_refused(desk, inventory):
    wrong = host_keys(desk)
    wrong["node1"] = wrong["node2"]
    pinned = desk.folder / "known_hosts"
    pinned.write_text(keys.for_operator(inventory, wrong))
    found = inventory.model_copy(update={"known_hosts": str(pinned)})
    with pytest.raises(Refusal, match="not the pinned one"):
        pairing.pair(found, wrong, time.monotonic, time.sleep)


def begun_and_left(desk):
    """A run that ended on the head after fab died."""
    desk.study([2], repeats=50)
    process = desk.begin()
    wait_for(desk.hosts.head.ranks)
    process.kill()
    desk.wait_for_exit()
    wait_for(lambda: not desk.hosts.head.ours())


def test_what_lies_on_the_head_alone_is_found(desk, inventory):
    none = RunsFolder(desk.folder / "none")
    assert unfetched.check(inventory, none) == ""
    begun_and_left(desk)
    with pytest.raises(Refusal, match=r"holds 1 runs that are not here \(of out\): 'fab pull"):
        unfetched.check(inventory, RunsFolder(desk.folder))
    with pytest.raises(Refusal, match=r"not here \(of another checkout"):
        unfetched.check(inventory, none)
    (job,) = SweepPaths(desk.folder / "out").jobs.iterdir()
    SweepPaths(desk.folder / "out").record(job.name.partition("-")[0]).write_text("{}")
    assert unfetched.check(inventory, RunsFolder(desk.folder)) == ""


def test_pull_needs_the_head_alone(desk):
    begun_and_left(desk)
    for host in desk.hosts.hosts[1:]:
        host.cut()
    done = desk.fab("pull", "--cluster", desk.hosts.inventory, "--sweep", desk.paths.folder)
    assert done.returncode == 0, done.stderr
    assert "1 records written, 0 runs at work" in done.stdout
