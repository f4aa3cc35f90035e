"""Every movement with the stores found out, and then told; writes the `stores` and checks of the measurements."""

import json
import sys
import time
from pathlib import Path

from mpi4py import MPI

from tests.mpi.small import leave_out_the_machine
from tests.runs import make_run
from workload import measure
from workload.domain.problem import Problem
from workload.instruments.clock import Clocks

answer, pool = map(Path, sys.argv[1:3])
comm = MPI.COMM_WORLD
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
PROBLEM = Problem(9, 3, 2, 12, 200, 3)  # rows of y begin at 8 places of a cache line
MOVEMENTS = [("serial", {})] if comm.size == 1 else []
MOVEMENTS += [("scatter-gather", {}), ("scatter-gather", {"in_place": True}), ("tree", {}), ("shared", {})]
MOVEMENTS += [
    ("pipeline", {"chunk_bytes": 1}),
    ("pipeline", {"chunk_bytes": 1, "in_window": True}),
    ("distributed", {}),
    ("distributed", {"chunk_bytes": 1}),
]
leave_out_the_machine()
measure.worth_trying = lambda *_: True  # as if y were larger than the caches

found = []
for movement, options in MOVEMENTS:
    run = make_run(PROBLEM, comm.size, movement=movement, options=options, backend="simd", warmups=1)
    free = measure.measure(comm, run, pool, clocks, None)
    told = {"taken": "non-temporal", "convolve_s": {"ordinary": 2.0, "non-temporal": 1.0}}
    bound = measure.measure(comm, run, pool, clocks, None, told)
    if free is not None and bound is not None:
        passed = free["check"]["passed"] and bound["check"]["passed"]
        calls = [[call["call"], call["count"]] for call in free["mpi_calls"]]
        same_calls = calls == [[call["call"], call["count"]] for call in bound["mpi_calls"]]
        found.append([free["stores"], bound["stores"] == told, passed, same_calls, len(free["warmup_repeats"])])
if comm.rank == 0:
    answer.write_text(json.dumps(found))
