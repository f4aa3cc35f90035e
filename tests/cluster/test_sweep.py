"""Whole sweeps over several nodes; what the operator's side may lose without losing a run."""

import json
import signal
import time

import psutil

from orchestration.provenance import digest
from orchestration.remote import SILENCE_S
from tests.cluster.hosts import wait_for
from tests.orchestration.support import ROOT

LONG = 100_000


def test_every_run_ends_ok_on_the_nodes_that_it_needs(desk):
    desk.study([1, 2, 4])
    done = desk.sweep()
    assert done.returncode == 0, done.stdout + done.stderr
    records = desk.records()
    assert [records[ranks]["outcome"] for ranks in (1, 2, 4)] == ["ok"] * 3
    for ranks, record in records.items():
        assert [machine["node"] for machine in record["machines"]] == [f"node{n + 1}" for n in range(ranks)]
        assert record["run"]["workload"]["digest"] == digest(ROOT / "workload")
        assert desk.paths.log(record["run_id"]).exists()
    assert desk.paths.picture("input").exists()
    assert desk.clear()


def test_more_ranks_than_slots(desk):
    study = desk.folder / "small.toml"
    study.write_text(study.read_text().replace("ranks = [2, 4]", 'ranks = "slots"\noversubscribe = 2'))
    done = desk.sweep(ranks="8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(desk.records()[8]["machines"]) == 4


def test_the_run_of_a_killed_fab_goes_on_and_is_adopted(desk):
    desk.study([2], repeats=250)
    process = desk.begin()
    desk.wait_for_ranks(desk.hosts.hosts[1])
    process.kill()
    process.wait()
    assert desk.hosts.hosts[1].ranks()
    done = desk.sweep()
    assert done.returncode == 0, done.stderr
    assert desk.records()[2]["outcome"] == "ok"
    assert desk.events() == ["planned", "started", "resumed", "adopted", "ended", "finished"]
    assert desk.clear()


def test_pull_takes_what_ended_while_fab_was_dead(desk):
    process = desk.begin()
    wait_for(desk.hosts.head.ranks)
    process.kill()
    wait_for(lambda: list((desk.hosts.head.folder / "convscale" / "jobs").glob("*/exit.json")))
    done = desk.fab("pull", "--cluster", desk.hosts.inventory, "--sweep", desk.paths.folder)
    assert done.returncode == 0, done.stderr
    assert "1 records written, 0 runs at work" in done.stdout
    (record,) = desk.records().values()
    assert record["outcome"] == "ok"
    status = desk.fab("status", "--cluster", desk.hosts.inventory, "--sweep", desk.paths.folder)
    assert status.returncode == 0, status.stderr
    assert "1 ok" in status.stdout
    assert "1 waiting" in status.stdout


def test_a_dropped_connection_loses_nothing(desk):
    desk.study([2], repeats=250)
    process = desk.begin()
    desk.wait_for_ranks(desk.hosts.hosts[1])
    sessions = [item for item in desk.hosts.head.members() if "sshd: root" in " ".join(item.cmdline())]
    assert sessions
    for session in sessions:
        session.kill()
    done = desk.end(process)
    assert done.returncode == 0, done.stderr
    assert desk.records()[2]["outcome"] == "ok"
    assert desk.events() == ["planned", "started", "ended", "finished"]
    assert desk.clear()


def test_a_silent_network_for_a_while_loses_nothing(desk):
    desk.study([1], repeats=1500)
    process = desk.begin()
    desk.wait_for_ranks(desk.hosts.head)
    desk.hosts.head.cut()
    time.sleep(SILENCE_S + 2)
    desk.hosts.head.join()
    done = desk.end(process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.records()[1]["outcome"] == "ok"
    assert desk.events() == ["planned", "started", "ended", "finished"]


def test_ctrl_c_leaves_no_rank_on_any_node_and_no_record(desk):
    desk.study([4], repeats=LONG)
    process = desk.begin()
    desk.wait_for_ranks(desk.hosts.hosts[3])
    process.send_signal(signal.SIGINT)
    done = desk.end(process)
    assert (done.returncode, desk.records()) == (1, {})
    assert "interrupted" in done.stderr
    assert desk.clear()


def test_another_mpi_job_on_the_node_is_left_alone(desk):
    """Of the same user, at work while our run is killed, times out, and is cleaned up after."""
    node = desk.hosts.hosts[1]
    program = "from mpi4py import MPI; import time; MPI.COMM_WORLD.barrier(); time.sleep(600)"
    other = ["mpirun", "--allow-run-as-root", "-n", "2", "--map-by", ":OVERSUBSCRIBE", "--mca", "pml", "ob1"]
    inventory = json.loads(desk.hosts.inventory.read_text())
    beside = inventory["python"].rpartition("/")[0]
    line = " ".join([f"{beside}/{other[0]}", *other[1:], inventory["python"], "-c", f"'{program}'"])
    node.run("sh", "-c", f"{line} >/dev/null 2>&1 &")
    try:
        wait_for(lambda: len(_strangers(node)) >= 2)
        before = {item.pid for item in _strangers(node)}
        desk.study([2], repeats=LONG, timeout_s=5.0)
        done = desk.sweep()
        assert (done.returncode, desk.records()[2]["outcome"]) == (1, "timeout")
        assert {item.pid for item in _strangers(node)} == before
        assert desk.clear()
    finally:
        for item in _strangers(node):
            item.kill()


def _strangers(node):
    found = []
    for item in node.members():
        try:
            if "time.sleep(600)" in " ".join(item.cmdline()[-1:]) and item.status() != psutil.STATUS_ZOMBIE:
                found.append(item)
        except psutil.Error:
            continue
    return found
