"""Carries out the runs in a file, given as JSON, and writes their measurements.

On a played GPU if a folder for its kernels is given.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from mpi4py import MPI

from tests.workload.gpu.played import played_gpus
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.record.run import Run

answer, runs, pool = map(Path, sys.argv[1:4])
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
with played_gpus(1, Path(sys.argv[4])) if len(sys.argv) > 4 else nullcontext():
    measurements = [
        measure(MPI.COMM_WORLD, Run.from_dict(document), pool, clocks, None)
        for document in json.loads(runs.read_text())
    ]
if MPI.COMM_WORLD.rank == 0:
    answer.write_text(json.dumps(measurements))
