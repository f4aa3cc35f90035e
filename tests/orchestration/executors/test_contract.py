"""What every executor does alike: this machine's, and a head's over SSH (a host of its own network namespace)."""

import json
import os
import sys
from pathlib import Path

import pytest

from orchestration.clusters.folder import read_cluster
from orchestration.executors.connect import connect
from orchestration.executors.local import LocalExecutor
from orchestration.jobs.environment import kept_environment
from orchestration.jobs.executor import State
from orchestration.jobs.job import JobRequest
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from orchestration.jobs.loop import job_loop
from orchestration.paths import SweepPaths
from tests.cluster.host import wait_for
from tests.cluster.hosts import Hosts, reason_against
from tests.marks import thorough
from tests.orchestration.support import ROOT, make_inventory
from workload.record.token import is_token

NAME = "0123456789abcdef"
WRITES = """
import json, sys, time
from mpi4py import MPI
folder, seconds = sys.argv[1], float(sys.argv[2])
print("at work", flush=True)
time.sleep(seconds)
if MPI.COMM_WORLD.rank == 0:
    open(folder + "/measurement.json", "w").write(json.dumps({"ranks": MPI.COMM_WORLD.size}))
"""


@pytest.fixture(scope="module", params=["this machine", thorough("a head over SSH")])
def cluster(request, tmp_path_factory):
    """An inventory, and the executor that its jobs run on."""
    if request.param == "this machine":
        inventory = make_inventory(2)
        yield inventory, connect(inventory, kept_environment(os.environ))
        return
    if reason := reason_against():
        pytest.skip(reason)
    with Hosts(tmp_path_factory.mktemp("hosts"), 1, slots=2) as hosts:
        inventory = read_cluster(hosts.inventory)
        executor = connect(inventory, {})
        yield inventory, executor
        executor.close()


@pytest.fixture
def executor(cluster):
    return cluster[1]


@pytest.fixture
def loop(cluster):
    inventory, executor = cluster
    return job_loop(executor, inventory, NodeCpus(1, 1))


@pytest.fixture
def job(tmp_path):
    paths = SweepPaths(tmp_path)
    paths.make()
    return paths.job(NAME)


def request(loop, seconds=0.0, timeout_s=30.0):
    python = loop.writer.inventory.python
    return JobRequest(
        Placement(2, 1, 2),
        timeout_s,
        lambda folders: [python, "-c", WRITES, str(folders.job), str(seconds), folders.job.name],
        {"run.json": {"schema_version": 1}},
        ("saved",),
    )


def gone(executor, job):
    return executor.state(job) is State.ABSENT and not job.exists()


def test_a_job_is_carried_out_and_nothing_of_it_is_left(loop, executor, job):
    def collect(job: Path) -> tuple:
        return (
            json.loads(executor.fetch(job, "measurement.json", 1000)),
            json.loads(executor.fetch(job, "exit.json", 10_000))["exit_status"],
            executor.fetch_tail(job, "log", 8),
            executor.fetch(job, "no-such-file", 1000),
        )

    measured, status, tail, nothing = loop.carry_out(job, request(loop), collect)
    assert (measured, status, tail, nothing) == ({"ranks": 2}, 0, b"at work\n", None)
    assert gone(executor, job)


def test_states_of_a_job(loop, executor, job):
    assert executor.state(job) is State.ABSENT
    loop.start(job, request(loop, seconds=60))
    assert executor.state(job) is State.ALIVE
    assert executor.wait(job, 0.2) is State.ALIVE
    wait_for(lambda: executor.fetch_tail(job, "log", 8))
    executor.stop(job)
    assert executor.state(job) is State.ENDED
    assert json.loads(executor.fetch(job, "exit.json", 10_000))["interrupted"] is True
    executor.clean(job)
    assert gone(executor, job)


def test_a_job_that_passes_its_limit_is_ended(loop, executor, job):
    ending = loop.carry_out(
        job, request(loop, seconds=60, timeout_s=1.5), lambda job: json.loads(executor.fetch(job, "exit.json", 10_000))
    )
    assert ending["timed_out"] is True


def test_a_file_comes_whole_or_not_at_all_and_never_larger_than_asked_for(loop, executor, job, tmp_path):
    def collect(job: Path) -> None:
        executor.fetch_file(job, "log", tmp_path / "log")
        executor.fetch_file(job, "no-such-file", tmp_path / "nothing")
        with pytest.raises(ValueError, match=r"log has \d+ bytes, more than the 3"):
            executor.fetch(job, "log", 3)

    loop.carry_out(job, request(loop), collect)
    assert (tmp_path / "log").read_text() == "at work\nat work\n"
    assert not (tmp_path / "nothing").exists()


def test_what_was_left_under_the_name_of_a_job_is_ended_first(loop, executor, job):
    loop.start(job, request(loop, seconds=600))
    assert loop.carry_out(job, request(loop), lambda job: executor.fetch(job, "measurement.json", 1000)) is not None
    assert gone(executor, job)


def test_ctrl_c_leaves_nothing(loop, executor, job):
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.carry_out(job, request(loop), interrupt)
    assert gone(executor, job)


def test_what_an_executor_says_of_its_nodes(executor, tmp_path):
    (machine,) = executor.machines()
    assert machine["node"] == executor.node
    assert machine["cores"] >= 1
    assert executor.lost(1) == []
    assert all(map(is_token, executor.tokens()))
    assert executor.unreached_pairs() in ([], [[]])
    file = tmp_path / "pool.npy"
    file.write_bytes(b"x" * 100)
    assert executor.bring(file).name == file.name
    assert executor.bring(file) == executor.bring(file)
    assert executor.site.uid >= 0


def test_this_machine_is_asked_once_what_it_is(tmp_path):
    asked, python = tmp_path / "asked", tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho once >>{asked}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    executor = LocalExecutor(ROOT, python)
    assert executor.machines() == executor.machines()
    assert asked.read_text().splitlines() == ["once"]


def test_the_workload_is_provided_where_it_lies_already(executor):
    from workload.record.digest import code_digest

    executor.provide(ROOT, code_digest(ROOT / "workload"))
