"""What can go wrong on the nodes: each with the outcome of docs/formats.md, its evidence, and nothing left."""

import contextlib
import os
import signal
import subprocess

import psutil
import pytest

from tests.cluster.host import GROUPS, wait_for

LONG = 100_000


@pytest.fixture(autouse=True)
def strangers(hosts):
    """Another MPI job of the same user on each node that the runs use: it lives on, unless its node was killed."""
    used = hosts.hosts[:2]
    for host in used:
        host.begin_stranger()
    before = [(host.process, host.strangers()) for host in used]
    yield
    for host, (process, ranks) in zip(used, before, strict=True):
        assert host.process is not process or host.strangers() == ranks


def at_work(desk, ranks, host, behaviour="bare"):
    """A sweep whose first run is on the nodes until something happens to it."""
    desk.study(ranks, repeats=LONG)
    process = desk.begin(behaviour)
    desk.wait_for_ranks(host)
    return process


def test_a_killed_rank(desk):
    node = desk.hosts.hosts[1]
    process = at_work(desk, [2], node)
    node.ranks()[0].send_signal(signal.SIGKILL)
    assert desk.end(process).returncode == 1
    record = desk.records()[2]
    assert record["outcome"] == "crashed"
    assert record["evidence"]["signal"] == signal.SIGKILL
    assert "node2" in record["reason"]
    assert desk.clear()


def test_a_killed_rank_of_a_pipeline_in_windows(desk):
    """One that is not the leader of its node: the leader, the root and the windows of both nodes wait for it."""
    desk.study([8], repeats=LONG)
    study = desk.folder / "small.toml"
    asked = 'ranks = "slots"\noversubscribe = 2\nmovement = ["pipeline"]\noptions = { in_window = true }'
    study.write_text(study.read_text().replace("ranks = [8]", asked))
    node = desk.hosts.hosts[1]
    process = desk.begin(ranks="8")
    desk.wait_for_ranks(node)
    node.ranks()[-1].send_signal(signal.SIGKILL)
    assert desk.end(process).returncode == 1
    record = desk.records()[8]
    assert record["run"]["options"]["in_window"]
    assert (record["outcome"], record["evidence"]["signal"]) == ("crashed", signal.SIGKILL)
    assert "node2" in record["reason"]
    assert desk.clear()


@pytest.mark.parametrize("fault", ["kill", "pause", "cut"])
def test_a_node_that_falls_silent_is_named_and_its_later_runs_wait_for_it(desk, fault):
    node = desk.hosts.hosts[1]
    process = at_work(desk, [2, 3], node, "real" if fault == "kill" else "sleep")
    {"kill": node.kill, "pause": node.pause, "cut": node.cut}[fault]()
    try:
        done = desk.end(process)
    finally:
        {"kill": node.revive, "pause": node.go_on, "cut": node.join}[fault]()
    assert done.returncode == 1
    outcomes = sorted((record["outcome"], record["reason"]) for record in desk.records().values())
    assert outcomes == [("node_lost", "node2 fell silent during the run"), ("skipped", "node lost: node2")]
    if fault == "kill":
        assert [event.get("failed") for event in desk.canaries()] == [None, "node lost: node2"]
    assert ["node2"] in [record["evidence"]["lost_nodes"] for record in desk.records().values()]
    wait_for(desk.clear)  # what was paused or cut off ends itself


def test_what_was_skipped_runs_when_the_node_answers_again(desk):
    node = desk.hosts.hosts[1]
    desk.study([2, 3], timeout_s=8.0)
    process = desk.begin("hang")
    desk.wait_for_ranks(node)
    node.cut()
    try:
        assert desk.end(process).returncode == 1
    finally:
        node.join()
    lost = {ranks for ranks, record in desk.records().items() if record["outcome"] == "node_lost"}
    assert len(lost) == 1
    done = desk.sweep("ok")
    assert done.returncode == 1  # the lost run is kept until --retry
    assert {ranks for ranks, record in desk.records().items() if record["outcome"] == "ok"} == {2, 3} - lost
    done = desk.sweep("ok", retry="yes")
    assert done.returncode == 0, done.stderr
    assert desk.clear()


def test_a_lost_daemon_is_no_success_though_mpirun_says_so(desk):
    node = desk.hosts.hosts[1]
    process = at_work(desk, [2], node)
    for item in node.members():
        with contextlib.suppress(psutil.NoSuchProcess):  # another has ended meanwhile
            if item.name() == "prted":
                item.kill()
    assert desk.end(process).returncode == 1
    record = desk.records()[2]
    assert (record["outcome"], record["evidence"]["lost_nodes"]) == ("node_lost", ["node2"])
    assert desk.clear()


def test_a_lost_head_ends_with_status_1_and_the_same_command_goes_on(desk):
    desk.study([2, 3])
    process = desk.begin("hang")
    desk.wait_for_ranks(desk.hosts.hosts[1])
    desk.hosts.head.kill()
    try:
        done = desk.end(process)
    finally:
        desk.hosts.head.revive()
    assert done.returncode == 1
    reasons = {record["outcome"]: record["reason"] for record in desk.records().values()}
    assert set(reasons) == {"node_lost", "skipped"}
    assert "node1" in reasons["node_lost"]
    wait_for(lambda: not any(host.ours() for host in desk.hosts.hosts))
    done = desk.sweep("ok", retry="yes")
    assert done.returncode == 0, done.stderr
    assert desk.clear()


def test_a_head_lost_during_a_canary_leaves_nothing_behind(desk):
    desk.study([2])
    process = desk.begin("hung-canary")
    jobs = desk.hosts.head.folder / "convscale" / "jobs"
    wait_for(lambda: list(jobs.glob(f"*{desk.paths.token('')}/supervisor.json")))
    desk.hosts.head.kill()
    try:
        assert desk.end(process).returncode == 1
    finally:
        desk.hosts.head.revive()
    assert "no longer answers" in desk.canaries()[0]["failed"]
    before = len(desk.canaries())
    done = desk.sweep("real", retry="yes")
    assert done.returncode == 0, done.stderr
    assert len(desk.canaries()) > before
    assert not any("failed" in event for event in desk.canaries()[before:])
    assert not list(desk.paths.jobs.iterdir())
    assert desk.clear()


def test_a_head_that_is_started_again_under_a_living_fab(desk):
    desk.study([2])
    process = desk.begin("sleep")
    desk.wait_for_ranks(desk.hosts.hosts[1])
    desk.hosts.head.kill()
    desk.hosts.head.revive()
    assert desk.end(process).returncode == 1
    record = desk.records()[2]
    assert (record["outcome"], record["evidence"]["lost_nodes"]) == ("node_lost", ["node1"])
    assert "started again" in record["reason"]
    wait_for(desk.clear)


@pytest.mark.skipif(not os.access(GROUPS, os.W_OK), reason="no writable memory control group (v1)")
@pytest.mark.kills_for_memory
def test_the_memory_limit_of_a_node(desk):
    with desk.hosts.hosts[1].limited_to(700 * 2**20):
        desk.study([2])
        assert desk.sweep("allocate").returncode == 1
        record = desk.records()[2]
        assert record["outcome"] == "out_of_memory", record["reason"]
        assert record["evidence"]["oom_kills"] == {"node2": 1}
        assert desk.clear()


def test_a_full_disk_on_the_head(desk):
    head = desk.hosts.head
    head.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt/convscale/jobs")
    try:
        desk.study([2])
        process = desk.begin("slower")
        desk.wait_for_ranks(desk.hosts.hosts[1])
        head.run("sh", "-c", "cat /dev/zero > /mnt/convscale/jobs/filler", check=False)
        assert desk.end(process).returncode == 1
        record = desk.records()[2]
        assert record["outcome"] == "crashed"
        assert "No space left on device" in record["reason"]
        assert "/mnt/convscale/jobs" in record["reason"]
    finally:
        head.run("umount", "-l", "/mnt/convscale/jobs")
    assert desk.clear()


def test_a_measurement_that_is_damaged_at_its_source(desk):
    desk.study([2])
    assert desk.sweep("truncated").returncode == 1
    record = desk.records()[2]
    assert (record["outcome"], "not whole JSON" in record["reason"]) == ("crashed", True)
    assert desk.clear()


def test_a_record_cut_short_on_the_way_is_pulled_again(desk):
    """The connection that fetches it breaks after 600 bytes, once."""
    head = desk.hosts.head
    script = head.folder / "sftp"
    server = "/usr/lib/openssh/sftp-server"
    script.write_text(
        f"#!/bin/sh\nrm /mnt/cut 2>/dev/null || exec {server}\n{server} | {{ dd bs=1 count=600; kill $PPID; }}\n"
    )
    script.chmod(0o755)
    desk.study([2])
    with head.sshd_with("internal-sftp", "/mnt/sftp"):
        process = desk.begin("slower")
        desk.wait_for_ranks(desk.hosts.hosts[1])
        (head.folder / "cut").touch()
        for session in head.sessions():
            session.kill()  # the next request opens a connection, and a transfer, of its own
        done = desk.end(process)
    assert done.returncode == 0, done.stderr
    assert not (head.folder / "cut").exists()
    assert desk.records()[2]["outcome"] == "ok"
    assert desk.clear()


def test_a_node_whose_workload_differs(desk):
    """A push mends it; where that fails no run starts, and the node is named."""
    node = desk.hosts.hosts[2]
    link = node.folder / "convscale" / "workload"
    target = link.readlink()
    link.unlink()
    subprocess.run(["cp", "-r", target, node.folder / "convscale" / "other"], check=True)
    (node.folder / "convscale" / "other" / "footprint.py").write_text("X = 1\n")
    link.symlink_to("other")
    node.run("mount", "--bind", "-o", "ro", "/mnt/convscale", "/mnt/convscale")
    try:
        done = desk.sweep()
        assert done.returncode == 2
        assert "node3" in done.stderr
        assert not desk.paths.folder.exists()
        node.run("umount", "/mnt/convscale")
        done = desk.sweep()
        assert done.returncode == 0, done.stderr
        assert {record["outcome"] for record in desk.records().values()} == {"ok"}
    finally:
        node.run("umount", "/mnt/convscale", check=False)
        for host in desk.hosts.hosts:
            (host.folder / "convscale" / "workload").unlink()
            (host.folder / "convscale" / "workload").symlink_to(target)
