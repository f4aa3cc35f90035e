"""Does MPI work between all ranks, and does every node compute as fast as the others? `mpirun ... -m workload.canary`.

Two seconds of MPI_Allreduce over all ranks, then one second of a small kernel on one rank a node, at the same time.
Takes the arguments of the workload; rank 0 writes to --record.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from workload.record import SCHEMA_VERSION, write_json

ALLREDUCE_S = 2.0
KERNEL_S = 1.0
ROUNDS = 16  # between two looks at the clock
ELEMENTS = 2**14  # 64 KiB of float32: stays in a core's own cache


def allreduces(comm: MPI.Comm) -> tuple[int, float, bool]:
    """Number of allreduces within two seconds, the seconds that they took, and whether every sum was right."""
    right, count = True, 0
    began = time.monotonic()
    more = True
    while more:
        for _ in range(ROUNDS):
            right = comm.allreduce(comm.rank) == comm.size * (comm.size - 1) // 2 and right
        count += ROUNDS
        more = comm.bcast(time.monotonic() - began < ALLREDUCE_S)
    return count, time.monotonic() - began, bool(comm.allreduce(right, MPI.LAND))


def kernel() -> float:
    """Multiply-adds a second of one core, over a second."""
    x = np.full(ELEMENTS, 0.5, np.float32)
    y = np.zeros_like(x)
    count, began = 0, time.monotonic()
    while time.monotonic() - began < KERNEL_S:
        for _ in range(ROUNDS):
            np.multiply(x, 0.25, out=y)
            np.add(y, x, out=y)
        count += ROUNDS * ELEMENTS
    return count / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="workload.canary", description="Two seconds of MPI, one of arithmetic.")
    parser.add_argument("--record", type=Path, required=True)
    arguments, _ = parser.parse_known_args()
    comm = MPI.COMM_WORLD
    count, seconds, right = allreduces(comm)
    on_node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    comm.barrier()
    rate = kernel() if on_node.rank == 0 else None
    rates = comm.gather((MPI.Get_processor_name(), rate))
    if rates is not None:
        document = {
            "schema_version": SCHEMA_VERSION,
            "ranks": comm.size,
            "allreduce_s": seconds / count,
            "right": right,
            "multiply_adds_per_s": {node: rate for node, rate in rates if rate is not None},
        }
        write_json(arguments.record, document)


if __name__ == "__main__":
    main()
