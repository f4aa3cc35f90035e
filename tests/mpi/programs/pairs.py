"""Every movement with many grids, or so many of them, in one mpirun; writes what failed and the bytes that moved.

From five ranks on, which take turns on the cores of most machines, each grid has every other case: still every
movement, by half of its options.
"""

import itertools
import json
import math
import random
import sys
import time
from pathlib import Path

from mpi4py import MPI

from tests.mpi.small import leave_out_the_machine
from tests.runs import make_run
from workload.domain.grid import AXES, Grid
from workload.domain.problem import Problem
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.movement.descriptions.footprint import predict

answer, pool = map(Path, sys.argv[1:3])
most = int(sys.argv[3]) if len(sys.argv) > 3 else None
comm = MPI.COMM_WORLD
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
PROBLEM = Problem(11, 9, 10, 20, 19, 8)  # every axis is at least 8 long, and 8 ranks divide none evenly
CASES = [
    ("scatter-gather", {}),
    ("scatter-gather", {"in_place": True}),
    ("tree", {}),
    ("tree", {"group_ranks": 1}),
    ("tree", {"group_ranks": 3}),
    ("pipeline", {}),
    ("pipeline", {"chunk_bytes": 1}),
    ("pipeline", {"chunk_bytes": 40_000}),
    ("pipeline", {"in_window": True}),
    ("pipeline", {"in_window": True, "chunk_bytes": 1}),
    ("pipeline", {"in_window": True, "chunk_bytes": 40_000, "group_ranks": 1}),
    ("pipeline", {"in_window": True, "chunk_bytes": 1, "group_ranks": 3}),
    ("shared", {}),
    ("shared", {"group_ranks": 1}),
    ("shared", {"group_ranks": 3}),
    ("distributed", {}),
    ("distributed", {"chunk_bytes": 20_000}),
]

leave_out_the_machine()


def grids(ranks: int) -> list[Grid]:
    """Each axis cut alone, and products of several."""
    alone = [Grid(**{axis: ranks}) for axis in AXES]
    divisors = [number for number in range(1, ranks) if ranks % number == 0]
    products = [parts for parts in itertools.product(divisors, repeat=len(AXES)) if math.prod(parts) == ranks]
    drawn = random.Random(ranks).sample(products, min(3, len(products)))  # noqa: S311
    return list(dict.fromkeys(alone + [Grid(*parts) for parts in drawn]))


step = 1 if comm.size < 5 else 2
wrong, done = [], 0
for place, grid in enumerate(grids(comm.size)[:most]):
    for movement, options in CASES[place % step :: step]:
        run = make_run(PROBLEM, comm.size, grid=grid, movement=movement, options=options)
        measurement = measure(comm, run, pool, clocks, None)
        if measurement is None:
            continue
        done += 1
        calls = measurement["mpi_calls"]
        moved = sum(call["bytes"] for call in calls)
        nodes = options.get("group_ranks", comm.size)
        faults = {
            "check": measurement["check"]["passed"],
            "elements": sum(block["output_elements"] for block in measurement["blocks"]) == PROBLEM.y_elements,
            "moved": moved == 2 * predict(PROBLEM, grid, movement, options, nodes).moved_bytes,
            "streamed": measurement["repeats"][0]["streamed"] == (movement == "pipeline" or "chunk_bytes" in options),
        }
        if not all(faults.values()):
            wrong.append([movement, options, grid.as_dict(), faults, moved])
if comm.rank == 0:
    answer.write_text(json.dumps({"wrong": wrong, "done": done}))
