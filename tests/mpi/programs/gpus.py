"""Movement `device` with many grids, in one mpirun; writes what failed, and some measurements.

On as many played GPUs as it is told, or on the node's own if that is none.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from mpi4py import MPI

import workload.measure
from tests.mpi.small import leave_out_the_machine
from tests.runs import make_run
from tests.workload.gpu.management import management
from tests.workload.gpu.played import PlayedDevice, played_gpus
from workload.convolve import cuda
from workload.domain.grid import AXES, Grid
from workload.domain.problem import Problem
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.movement.descriptions.footprint import predict

answer, pool, kernels = map(Path, sys.argv[1:4])
gpus, broken = int(sys.argv[4]), sys.argv[5] == "broken"
comm = MPI.COMM_WORLD
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
PROBLEM = Problem(11, 9, 10, 20, 19, 8)  # every axis is at least 8 long, and 8 ranks divide none evenly
CASES = [{}, {"chunk_bytes": 1}, {"chunk_bytes": 40_000}]

leave_out_the_machine()
if gpus:
    held_back_ns = dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0)
    workload.measure.library = lambda: management([0, 1], held_back_ns)  # which never sees our ranks


def convolves_once() -> None:
    """From the second launch of a kernel on nothing happens, so that what the last repeat left is all there is."""
    compile_one = PlayedDevice.compile

    def compile_broken(device: PlayedDevice, source: str, name: str):
        kernel, done = compile_one(device, source, name), []

        def launch(*arguments: object) -> None:
            if not done:
                kernel(*arguments)
            done.append(True)

        return launch

    PlayedDevice.compile = compile_broken


if broken:
    convolves_once()
axes = AXES if comm.size == 2 else ("batch", "row", "in_channel")
grids = [Grid(batch=comm.size)] if broken else [Grid(**{axis: comm.size}) for axis in axes]
wrong, kept, done = [], [], 0
with played_gpus(gpus, kernels) if gpus else nullcontext([]) as opened:
    for grid in grids:
        for options in CASES[:1] if broken else CASES:
            run = make_run(PROBLEM, comm.size, grid=grid, movement="device", backend="cuda", options=options, repeats=2)
            measurement = measure(comm, run, pool, clocks, None)
            if any(not each.given_back for each in opened):
                wrong.append([options, grid.as_dict(), "memory is left on the device, or pages locked"])
            if measurement is None:
                continue
            done += 1
            moved = sum(call["bytes"] for call in measurement["mpi_calls"])
            faults = {
                "check": measurement["check"]["passed"],
                "elements": sum(block["output_elements"] for block in measurement["blocks"]) == PROBLEM.y_elements,
                "moved": moved == 2 * 2 * predict(PROBLEM, grid, "device", options, backend="cuda").moved_bytes,
                "whole": not measurement["repeats"][0]["streamed"],
            }
            if not all(faults.values()):
                wrong.append([options, grid.as_dict(), faults, moved])
            if grid == Grid(batch=comm.size):
                kept.append(measurement)
cuda.use_gpu_of(0)
everyones = comm.gather(wrong)
if comm.rank == 0:
    answer.write_text(
        json.dumps({"wrong": [each for wrongs in everyones for each in wrongs], "done": done, "kept": kept})
    )
