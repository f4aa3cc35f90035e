"""Runs one job by the new launcher; prints its command, what the ranks said, and what a killed rank proves."""

import json
import os
import sys
from pathlib import Path

from orchestration.clusters.this_machine import describe
from orchestration.executors.connect import connect
from orchestration.jobs import launchers
from orchestration.jobs.environment import kept_environment
from orchestration.jobs.evidence import log_text
from orchestration.jobs.job import JobRequest, JobWriter, Starter
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from orchestration.jobs.loop import JobLoop
from orchestration.paths import SweepPaths

RANKS = """
import os, signal, sys
from mpi4py import MPI
sizes = MPI.COMM_WORLD.gather(MPI.COMM_WORLD.size)
if sys.argv[1] == "die" and MPI.COMM_WORLD.rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
MPI.COMM_WORLD.barrier()
if MPI.COMM_WORLD.rank == 0:
    print("sizes", sizes, flush=True)
"""
inventory = describe(Path.cwd(), "2026-01-01T00:00:00Z").model_copy(update={"python": sys.executable})
executor = connect(inventory, kept_environment(os.environ))
launcher = launchers.find("mpiexec")
loop = JobLoop(executor, JobWriter(inventory, NodeCpus(0, 0), executor))
paths = SweepPaths(Path(sys.argv[1]))
paths.make()


def carry_out(what: str) -> dict[str, object]:
    request = JobRequest(
        Placement(3, 1, 3),
        60.0,
        lambda folders: [sys.executable, "-c", RANKS, what, folders.job.name],
        starter=Starter("mpiexec"),
    )

    def collect(job: Path) -> dict[str, object]:
        status = json.loads(executor.fetch(job, "exit.json", 10_000) or b"{}")["exit_status"]
        log = log_text(executor.fetch_tail(job, "log", 10_000))
        proved = launcher.evidence(status, log)
        killed = None if proved.killed is None else [proved.killed.rank, proved.killed.signal]
        argv = json.loads((job / "job.json").read_text())["argv"]
        return {"argv": argv[0], "status": status, "log": log, "program": proved.program, "killed": killed}

    return loop.carry_out(paths.job("0123456789abcdef"), request, collect)


print(json.dumps([carry_out("live"), carry_out("die")]))
