"""Runs whose convolution or movement is wrong on purpose; writes the checks' entries by the name of the fault."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from mpi4py import MPI

from workload import convolve
from workload.convolve import tiles
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.movement.scatter_gather import ScatterGather
from workload.record.run import Run

answer, runs, pool = map(Path, sys.argv[1:4])
comm = MPI.COMM_WORLD
run = Run.from_dict(json.loads(runs.read_text())[0])
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)


class OnlyOnce:
    """A backend that computes the first time it is called on a rank, and nothing ever after."""

    def __init__(self, rank: int) -> None:
        self.calls = 0
        self.lazy = comm.rank == rank

    def __call__(self, x: np.ndarray, w: np.ndarray, y: np.ndarray) -> None:
        self.calls += 1
        if self.calls == 1 or not self.lazy:
            tiles.convolve(x, w, y)


def published(x: np.ndarray, w: np.ndarray, y: np.ndarray) -> None:
    """The paper's program: the local batch divided by the number of ranks again, then an in-place Allgather."""
    done = len(x) // comm.size
    y[...] = 0
    mine = slice(comm.rank * done, (comm.rank + 1) * done)
    tiles.convolve(x[mine], w, y[mine]) if done else None
    comm.Allgather(MPI.IN_PLACE, [y, done * y[0].size, MPI.FLOAT])


class DistributesOnce(ScatterGather):
    """Distributes x in the first repeat alone: later ones convolve what is left in the blocks."""

    def prepare(self) -> None:
        super().prepare()
        scatter, calls = self._x_spread.scatter, []

        def once(*arguments: object) -> None:
            if not calls:
                scatter(*arguments)
            calls.append(1)

        self._x_spread.scatter = once


def check_of(backend: object = tiles.convolve, movement: type = ScatterGather, repeats: int = 2) -> dict:
    shown = convolve.Backend("broken", backend, tiles.compile_for)
    with (
        mock.patch.object(convolve, "load", return_value=shown),
        mock.patch("workload.movement.scatter_gather.ScatterGather", movement),
    ):
        measurement = measure(comm, replace(run, repeats=repeats), pool, clocks, None)
    return comm.bcast(measurement and measurement["check"])


found = {
    "honest": check_of(),
    "published": check_of(published),
    "root computes nothing again": check_of(OnlyOnce(0)),
    "last computes nothing again": check_of(OnlyOnce(comm.size - 1)),
    "distributes once": check_of(movement=DistributesOnce),
}
if comm.rank == 0:
    answer.write_text(json.dumps(found))
