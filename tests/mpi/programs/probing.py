"""Probes with small sizes, and writes what rank 0 found."""

import json
import sys
import time
from pathlib import Path

from mpi4py import MPI

from workload.instruments.clock import Clocks
from workload.probe.run import probe
from workload.probe.scale import Scale

answer = Path(sys.argv[1])
small = Scale(
    message_bytes=(8, 2**20),
    copy_bytes=(2**16, 2**20),
    cache_bytes=(2**12,),
    multiply_adds=2**20,
    small_block=(1, 1, 8, 8),
    block=(1, 3, 32, 32),
    passes=2,
    rounds=2,
    round_s=0.001,
)
found = probe(MPI.COMM_WORLD, Clocks(time.monotonic, MPI.Wtime, time.process_time), small)
if found is not None:
    answer.write_text(json.dumps(found))
