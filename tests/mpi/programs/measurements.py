"""Carries out the runs in a file, given as JSON, and writes their measurements."""

import json
import sys
import time
from pathlib import Path

from mpi4py import MPI

from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.record.run import Run

answer, runs, pool = map(Path, sys.argv[1:4])
clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
measurements = [
    measure(MPI.COMM_WORLD, Run.from_dict(document), pool, clocks, None) for document in json.loads(runs.read_text())
]
if MPI.COMM_WORLD.rank == 0:
    answer.write_text(json.dumps(measurements))
