"""Probes with small sizes, and writes what rank 0 found."""

import json
import sys
import time
from pathlib import Path

from mpi4py import MPI

from workload.probe import Scale, probe

answer = Path(sys.argv[1])
found = probe(MPI.COMM_WORLD, time.monotonic, Scale((8, 2**20), 2**20, 2**20, (1, 3, 32, 32), 2))
if found is not None:
    answer.write_text(json.dumps(found))
