"""Tests that MPI works between all ranks and that every node computes as fast as the others.

`mpirun ... python -m mpi4py -m workload.probe.canary --record out.json`. Two seconds of MPI_Allreduce over all ranks,
then one second of a small kernel on one rank of each node, all at the same time. With --brief, as between the launches
of a sweep, a tenth and a third of a second. Takes the arguments of the workload;
rank 0 writes to --record.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

ALLREDUCE_S = 2.0
KERNEL_S = 1.0
BRIEF_ALLREDUCE_S, BRIEF_KERNEL_S = 0.1, 0.33
ROUNDS = 16  # between two readings of the clock
ELEMENTS = 2**14  # 64 KiB of float32, which fits a core's own cache


def allreduces(comm: MPI.Comm, limit_s: float = ALLREDUCE_S) -> tuple[int, float, bool]:
    """Number of allreduces within `limit_s`, the seconds they took, and whether every sum was right."""
    right, count = True, 0
    began = time.monotonic()
    more = True
    while more:
        for _ in range(ROUNDS):
            right = comm.allreduce(comm.rank) == comm.size * (comm.size - 1) // 2 and right
        count += ROUNDS
        more = comm.bcast(time.monotonic() - began < limit_s)
    return count, time.monotonic() - began, bool(comm.allreduce(right, MPI.LAND))


def kernel(limit_s: float = KERNEL_S) -> float:
    """Multiply-adds in a second of one core: the mean over `limit_s`, so that other work on the core shows."""
    x = np.full(ELEMENTS, 0.5, np.float32)
    y = np.zeros_like(x)
    count, began = 0, time.monotonic()
    while time.monotonic() - began < limit_s:
        for _ in range(ROUNDS):
            np.multiply(x, 0.25, out=y)
            np.add(y, x, out=y)
        count += ROUNDS * ELEMENTS
    return count / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="workload.probe.canary", description="Two seconds of MPI, one of arithmetic.")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--brief", action="store_true", help="half a second in all")
    parser.add_argument("--token", help="the job's: it stands here so that its processes can be found")
    arguments = parser.parse_args()
    comm = MPI.COMM_WORLD
    allreduce_s, kernel_s = (BRIEF_ALLREDUCE_S, BRIEF_KERNEL_S) if arguments.brief else (ALLREDUCE_S, KERNEL_S)
    count, seconds, right = allreduces(comm, allreduce_s)
    on_node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    comm.barrier()
    rate = kernel(kernel_s) if on_node.rank == 0 else None
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
