"""The published method on the first 1, 2, 4 and 8 of eight ranks, in one mpirun; the least CPU seconds of an image.

The other ranks sleep meanwhile. Each round can only bring the least down to what the code itself needs.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from mpi4py import MPI

from tests.mpi.small import leave_out_the_machine
from workload.domain.grid import Grid
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.record.run import Run

ROUNDS = 5
CLOSE = 1.1  # nothing to gain by another round
answer, runs, pool = map(Path, sys.argv[1:4])
comm = MPI.COMM_WORLD
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
whole = Run.from_dict(json.loads(runs.read_text())[0])
counts = [count for count in (1, 2, 4, 8) if count <= comm.size]
leave_out_the_machine()


def wait_for_all() -> None:
    """Without using a core."""
    met = comm.Ibarrier()
    while not met.Test():
        time.sleep(0.01)


def least_of(count: int) -> float | None:
    """What one run of so many ranks takes; None on the ranks that are not its root."""
    some = comm.Split(0 if comm.rank < count else MPI.UNDEFINED, comm.rank)
    found = None
    if some != MPI.COMM_NULL:
        run = replace(whole, ranks=count, ranks_per_node=count, grid=Grid(batch=count))
        if (measurement := measure(some, run, pool, clocks, None)) is not None:
            spent_s = [rank["convolve_cpu_s"] for repeat in measurement["repeats"] for rank in repeat["ranks"]]
            found = min(spent_s) / (run.problem.batch // count // count)
        some.Free()
    wait_for_all()
    return found


least = dict.fromkeys(counts, float("inf"))
for _ in range(ROUNDS):
    for count in counts:
        least[count] = min(least[count], comm.bcast(least_of(count)))
    if max(least.values()) <= CLOSE * min(least.values()):
        break
if comm.rank == 0:
    answer.write_text(json.dumps(list(least.values())))
