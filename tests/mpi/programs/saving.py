"""Saves y of every movement with several grids; writes which files are not right."""

import itertools
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from tests.mpi.small import leave_out_the_machine
from tests.runs import make_run
from workload.convolve.tiles import convolve
from workload.data.images import Source, make_weights, open_pool
from workload.data.output import Output
from workload.domain.grid import Grid, whole
from workload.domain.problem import Problem
from workload.instruments.clock import Clocks
from workload.measure import measure

answer, pool = map(Path, sys.argv[1:3])
comm = MPI.COMM_WORLD
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
problem = Problem(9, 3, 4, 40, 37, 3)
x, expected = np.empty(problem.x_shape, np.float32), np.empty(problem.y_shape, np.float32)
Source(open_pool(pool, problem))(whole(problem), x)
convolve(x, make_weights("random", problem, 1), expected)

GRIDS = [Grid(batch=comm.size), Grid(row=comm.size), Grid(column=comm.size), Grid(in_channel=comm.size)]
MOVEMENTS = [
    ("scatter-gather", {}),
    ("pipeline", {"chunk_bytes": 20_000}),
    ("pipeline", {"chunk_bytes": 20_000, "in_window": True}),
    ("pipeline", {"chunk_bytes": 20_000, "in_window": True, "group_ranks": 2}),
    ("shared", {}),
    ("distributed", {}),
    ("distributed", {"chunk_bytes": 20_000}),
]

leave_out_the_machine()


def save(grid: Grid, movement: str, options: dict[str, int]) -> bool:
    folder = answer.parent / "saved"
    if comm.rank == 0:
        folder.mkdir()
    comm.Barrier()
    changes = {"grid": grid, "movement": movement, "options": options}
    run = make_run(problem, comm.size, repeats=2, save=True, **changes)
    measurement = measure(comm, run, pool, clocks, Output(folder))
    if measurement is None:
        return True
    y = np.load(folder / "y.npy")
    shutil.rmtree(folder)
    saved = max(rank["phases_s"]["save"] for rank in measurement["repeats"][0]["ranks"])
    return bool(np.allclose(y, expected, rtol=1e-5, atol=1e-5)) and measurement["check"]["passed"] and saved > 0


wrong = []
for (movement, options), grid in itertools.product(MOVEMENTS, GRIDS):
    if max(grid.as_dict().values()) > 3 and grid.in_channel > 3:
        continue
    if not save(grid, movement, options):
        wrong.append([movement, options, grid.as_dict()])
if comm.rank == 0:
    answer.write_text(json.dumps(wrong))
