"""Scatters and gathers images of one-byte elements, more than 2^31 of them, counted in images."""

import json
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

from workload.movement.datatypes import image_type

comm = MPI.COMM_WORLD
shape = (3, 1 << 12, 1 << 13)  # 96 MiB an image
counts = [12, 11]
image = image_type(MPI.BYTE, shape)
mine = np.zeros((counts[comm.rank], *shape), np.uint8)
everything = None
if comm.rank == 0:
    everything = np.empty((sum(counts), *shape), np.uint8)
    for number, each in enumerate(everything):
        each.fill(number + 1)
displacements = [0, counts[0]]
whole = None if everything is None else [everything, counts, displacements, image]
comm.Scatterv(whole, [mine, counts[comm.rank], image], root=0)
received = [int(each[0, 0, 0]) for each in mine] + [int(each[-1, -1, -1]) for each in mine]
mine += 100
if everything is not None:
    everything.fill(0)
comm.Gatherv([mine, counts[comm.rank], image], whole, root=0)
image.Free()
received = comm.gather(received)
if everything is not None:
    ends = [[int(each[0, 0, 0]), int(each[-1, -1, -1])] for each in everything]
    Path(sys.argv[1]).write_text(json.dumps({"elements": everything.size, "received": received, "ends": ends}))
