"""Whole sweeps over several nodes; what the operator's side may lose without losing a run."""

import json
import signal
import time
from contextlib import suppress

import psutil

from orchestration.clusters.folder import read_cluster
from orchestration.executors.remote.executor import RemoteExecutor
from orchestration.executors.remote.protocol import SILENCE_S
from orchestration.paths import SweepPaths
from orchestration.sweep.locks import held
from tests.cluster.host import wait_for
from tests.orchestration.support import ROOT
from workload.agent import lease
from workload.record.digest import code_digest

LONG = 100_000


def test_every_run_ends_ok_on_the_nodes_that_it_needs(desk):
    desk.study([1, 2, 4])
    done = desk.sweep("real")
    assert done.returncode == 0, done.stdout + done.stderr
    records = desk.records()
    assert [records[ranks]["outcome"] for ranks in (1, 2, 4)] == ["ok"] * 3
    for ranks, record in records.items():
        assert [machine["node"] for machine in record["machines"]] == [f"node{n + 1}" for n in range(ranks)]
        assert record["run"]["workload"]["digest"] == code_digest(ROOT / "workload")
        assert desk.paths.log(record["run_id"]).exists()
    assert desk.paths.picture("input").exists()
    names = {host.name for host in desk.hosts.hosts}
    assert [set(event["multiply_adds_per_s"]) for event in desk.canaries()] == [names, names]
    assert desk.clear()


def test_more_ranks_than_slots(desk):
    study = desk.folder / "small.toml"
    study.write_text(study.read_text().replace("ranks = [2, 4]", 'ranks = "slots"\noversubscribe = 2'))
    done = desk.sweep(ranks="8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(desk.records()[8]["machines"]) == 4


def test_a_pipeline_in_windows_over_nodes_of_several_ranks(desk):
    study = desk.folder / "small.toml"
    asked = (
        'ranks = "slots"\noversubscribe = 2\nmovement = ["pipeline"]\noptions = { in_window = true, chunk_bytes = 1 }'
    )
    study.write_text(study.read_text().replace("ranks = [2, 4]", asked))
    done = desk.sweep(ranks="8")
    assert done.returncode == 0, done.stdout + done.stderr
    record = desk.records()[8]
    assert [len(machine["rank_placement"]) for machine in record["machines"]] == [2, 2, 2, 2]
    assert record["check"]["passed"]
    moved = sum(call["bytes"] for call in record["mpi_calls"])
    assert moved == 2 * record["predicted"]["moved_bytes"] * record["run"]["repeats"], "sent, and received"
    senders = {call["rank"] for call in record["mpi_calls"] if call["call"] == "Isend" and call["bytes"]}
    assert senders == {0, 2, 4, 6}, "the root, and the leaders of the other nodes"


def test_the_run_of_a_killed_fab_goes_on_and_is_adopted(desk):
    desk.study([2])
    process = desk.begin("slower")
    desk.wait_for_ranks(desk.hosts.hosts[1])
    process.kill()
    process.wait()
    assert desk.hosts.hosts[1].ranks()
    done = desk.sweep("slower")
    assert done.returncode == 0, done.stderr
    assert desk.records()[2]["outcome"] == "ok"
    assert desk.events() == ["planned", "started", "resumed", "adopted", "ended", "finished"]
    assert desk.clear()


def test_pull_takes_what_ended_while_fab_was_dead(desk):
    process = desk.begin()
    wait_for(desk.hosts.head.ranks)
    process.kill()
    desk.wait_for_exit()
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
    desk.study([2])
    process = desk.begin("slower")
    desk.wait_for_ranks(desk.hosts.hosts[1])
    sessions = desk.hosts.head.sessions()
    assert sessions
    for session in sessions:
        with suppress(psutil.NoSuchProcess):  # one that was being opened or closed just then
            session.kill()
    done = desk.end(process)
    assert done.returncode == 0, done.stderr
    assert desk.records()[2]["outcome"] == "ok"
    assert desk.events() == ["planned", "started", "ended", "finished"]
    assert desk.clear()


def test_a_silent_network_for_a_while_loses_nothing(desk):
    desk.study([1])
    process = desk.begin("slower")
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
    """Of the same user, at work while our run passes its limit and is cleaned up after."""
    node = desk.hosts.hosts[1]
    node.begin_stranger()
    before = node.strangers()
    desk.study([2], timeout_s=5.0)
    assert desk.sweep("sleep").returncode == 1
    assert desk.records()[2]["outcome"] == "timeout"
    assert node.strangers() == before
    assert desk.clear()


def test_two_sweeps_at_once_do_not_disturb_each_other(desk, tmp_path):
    """The second is told of the first, as long as that is at work; also of another checkout, by its fab or its run."""
    desk.study([2], timeout_s=600.0)
    first = desk.begin("sleep")  # until it is cleaned away
    desk.wait_for_ranks(desk.hosts.hosts[1])
    done = desk.sweep(out=tmp_path / "other")
    assert done.returncode == 2, done.stdout
    assert "node1, node2 are at work on" in done.stderr
    assert f"of the sweep in {desk.paths.folder}" in done.stderr
    first.kill()
    first.wait()
    assert "node1, node2 are at work on" in desk.sweep(out=tmp_path / "other").stderr
    others = desk.fab("clean", "--cluster", desk.hosts.inventory)
    assert "left alone, of sweeps that lie elsewhere: " in others.stdout
    held = desk.hosts.head.folder / "convscale" / "jobs" / "lease.json"
    assert json.loads(held.read_text())["folder"] == str(desk.paths.folder)
    cleaned = desk.fab("clean", "--cluster", desk.hosts.inventory, "--sweep", desk.paths.folder)
    assert cleaned.returncode == 0, cleaned.stderr
    assert lease.holder(held.parent) is None  # a file that was too old to hold may lie there
    assert desk.clear()


def test_what_a_killed_fab_held_is_free_as_soon_as_its_run_is_over(desk, tmp_path):
    desk.study([2])
    first = desk.begin("slower")
    desk.wait_for_ranks(desk.hosts.hosts[1])
    first.kill()
    first.wait()
    wait_for(lambda: not any(host.ours() for host in desk.hosts.hosts))
    done = desk.sweep(out=tmp_path / "other")
    assert done.returncode == 0, done.stderr


def test_between_two_runs_the_cluster_is_held_too(desk, tmp_path):
    inventory = read_cluster(desk.hosts.inventory)
    executor = RemoteExecutor(inventory)
    desk.study([2])
    with held(executor, inventory, SweepPaths(tmp_path / "first"), "2026-01-01T00:00:00Z"):
        done = desk.sweep()
        assert done.returncode == 2, done.stdout
        assert f"is at work in {tmp_path / 'first'}" in done.stderr
        assert not desk.paths.folder.exists()
    executor.close()
    done = desk.sweep()
    assert done.returncode == 0, done.stderr
    assert not (desk.hosts.head.folder / "convscale" / "jobs" / "lease.json").exists()


def test_launches_are_added_on_the_nodes_until_the_clusters_price_ends_it(desk):
    document = json.loads(desk.hosts.inventory.read_text())
    price = {"amount_per_hour": 3600.0, "currency": "EUR", "date": "2026-01-01"}  # a second costs 1
    desk.hosts.inventory.write_text(json.dumps({**document, "price": price}))
    desk.study([4])  # real times might be left out, as of cores of different speed
    done = desk.sweep("noisy", within="0.001%", max_launches="4", max_cost="100000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--max-launches 4 ends the sweep here" in done.stdout
    done = desk.sweep("noisy", within="0.001%", max_cost="0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--max-cost 0.5 ends the sweep here" in done.stdout
    looks = [event for event in desk.ledger() if event["event"] == "look"]
    assert [(look["end"], look["max_s"]) for look in looks] == [
        (None, 100000.0),
        (None, 100000.0),
        (None, 100000.0),
        ("--max-launches 4", 100000.0),
        ("--max-cost 0.5", 0.5),
    ]
    assert [event["launch"] for event in desk.ledger() if event["event"] == "extended"] == [1, 2, 3]
    assert len([name for name in desk.events() if name == "started"]) == 4
    assert desk.clear()
