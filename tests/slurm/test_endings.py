"""How runs and jobs of Slurm's end, and what is recorded of that: by Slurm's own words."""

import socket

import pytest

from tests.cluster.host import wait_for
from tests.slurm.conftest import Login
from tests.slurm.daemons import limits_memory
from workload.record.kinds import read_record

LONG = 100_000  # repeats: at work until something happens
GREEDY = """
from mpi4py import MPI
import os
if MPI.COMM_WORLD.rank == 1:
    kept = []
    while True:
        kept.append(os.urandom(2**20) * 16)
MPI.COMM_WORLD.barrier()
"""


TWO = """
schema_version = 1
name = "two"
launches = 1
repeats = 1
warmups = 0
timeout_s = 300.0
images = "synthetic"
backend = ["numpy"]
problem = { batch = 8, in_channels = 1, out_channels = 1, height = 64, width = 64, kernel_size = 3 }
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
ranks = [4]
[[series]]
name = "again"
scaling = "weak"
batch_per_rank = 3
ranks = [4]
"""


def wait_for_ranks_on(login: Login, *nodes: str) -> None:
    """Until ranks are at work on each of the nodes."""
    wait_for(lambda: {host.name for host in login.hosts.hosts if host.ranks()} >= set(nodes))


@pytest.mark.kills_for_memory
@pytest.mark.skipif(not limits_memory(), reason="Slurm limits memory here by control groups v1 alone")
def test_out_of_memory_by_slurms_limit(login: Login) -> None:
    (login.folder / "greedy.py").write_text(GREEDY)
    flags = ["--mpi", "openmpi5", "--ranks", "3", "--launches", "1", "--out", str(login.paths.folder)]
    words = ["sweep", "--cluster", "slurm", "--command", f"{login.python} {login.folder}/greedy.py", *flags]
    done = login.fab_in(["--nodes=2", "--ntasks=4", "--mem-per-cpu=200"], *words)
    assert done.returncode == 1, done.stdout + done.stderr
    record = login.records()[3]
    assert record["outcome"] == "out_of_memory", record
    assert record["reason"] == "the kernel killed rank 1 on node1 for memory on node1"
    assert record["evidence"]["oom_kills"]["node1"] >= 1
    assert login.clear()


def test_a_time_limit_ends_in_order_and_a_second_job_finishes(login: Login) -> None:
    login.study([1, 4])
    job = login.sbatch("--nodes=2", "--ntasks=4", behaviour="sleep-at-4")  # Slurm looks at times every half a minute
    wait_for(login.records)
    login.hosts.run("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    assert login.waits(job) in ("TIMEOUT", "FAILED")  # FAILED where the sweep has ended in order before Slurm ends it
    before = login.records()
    assert {record["outcome"] for record in before.values()} == {"ok"}
    assert list(before) == [1]
    assert login.events()[-1] == "interrupted", login.said(job)
    assert login.clear()
    again = login.sbatch("--nodes=2", "--ntasks=4")
    assert login.waits(again) == "COMPLETED", login.said(again)
    after = login.records()
    assert {ranks: record["outcome"] for ranks, record in after.items()} == {1: "ok", 4: "ok"}
    # its one launch is the second job's, whole
    assert login.set_aside() == before
    assert {record["slurm"]["job"] for record in after.values()} == {again}


def test_an_allocation_that_is_cancelled_under_a_run_is_no_outcome_of_it(login: Login) -> None:
    """`fab` on the login node goes on, and finds that its nodes are gone."""
    login.study([4])
    process = login.start(["salloc", "--quiet", "--no-shell", "--nodes=2", "--ntasks=4", "--job-name=mine"])
    login.end(process)
    job = login.hosts.run("squeue", "--noheader", "--name=mine", "--format=%i").strip()
    told = {"SLURM_JOB_ID": job, "SLURM_NTASKS": "4", "SLURM_TASKS_PER_NODE": "2(x2)"}
    process = login.start(login.words("sleep"), environment=told)
    wait_for_ranks_on(login, "node1", "node2")
    beside = login.sbatch("--nodes=2", "--ntasks=4")
    assert login.waits(beside) == "FAILED"  # a job on other nodes, which no process of this one's is seen from
    assert f"is being worked at by root@{socket.gethostname()}, process {process.pid}: wait" in login.said(beside)
    login.hosts.run("scancel", job)
    done = login.end(process)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"Slurm's job {job} is over" in done.stderr
    assert login.records() == {}
    assert login.ledger()[-1]["event"] == "interrupted"
    assert "is over (C" in login.ledger()[-1]["reason"]  # CANCELLED, or COMPLETING before it
    assert login.clear()


def test_a_killed_rank_is_a_crash_that_names_it(login: Login) -> None:
    login.study([4], repeats=LONG)
    process = login.start(["salloc", "--quiet", "--nodes=2", "--ntasks=4", *login.words("bare")])
    wait_for_ranks_on(login, "node1", "node2")
    victim = login.hosts.hosts[1].ranks()[0]
    victim.kill()
    done = login.end(process)
    assert done.returncode == 1, done.stdout + done.stderr
    record = login.records()[4]
    assert record["outcome"] == "crashed"
    assert "on node2 was killed by signal 9 (SIGKILL)" in record["reason"]
    assert login.clear()


def test_a_node_set_down_during_a_run_is_named_and_runs_that_need_it_are_skipped(login: Login) -> None:
    """An allocation with --no-kill outlives its node."""
    (login.folder / "small.toml").write_text(TWO)
    process = login.start(["salloc", "--quiet", "--no-kill", "--nodes=2", "--ntasks=4", *login.words("sleep")])
    try:
        wait_for_ranks_on(login, "node1", "node2")
        login.hosts.run("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=test")
        done = login.end(process)
    finally:
        login.hosts.wait_for_idle()  # a node that was down and answers again is back by itself
    assert done.returncode == 1, done.stdout + done.stderr
    found = [read_record(path) for path in login.paths.records.glob("*.json")]
    first, second = sorted(found, key=lambda record: record["sequence"])
    assert (first["outcome"], first["evidence"]["lost_nodes"]) == ("node_lost", ["node2"]), first
    assert (second["outcome"], second["reason"]) == ("skipped", "node lost: node2")
    taken = login.hosts.hosts[1]
    wait_for(lambda: not taken.ours())
    taken.clean()  # no step reaches a node that was taken from the job: what Slurm's own kill leaves there may stay
    assert login.clear()
