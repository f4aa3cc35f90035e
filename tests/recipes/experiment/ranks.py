"""Times barriers on all ranks: `python -m mpi4py -m workload.barrier COUNT RUN_ID RECORD TOKEN`."""

from __future__ import annotations

import sys
from pathlib import Path

from mpi4py import MPI

from workload.record.files import write_json


def main() -> None:
    count, run_id, record, _ = sys.argv[1:]
    comm, times_s = MPI.COMM_WORLD, []
    for _ in range(int(count)):
        began_s = MPI.Wtime()
        comm.barrier()
        times_s.append(MPI.Wtime() - began_s)
    if comm.rank == 0:
        document = {"schema_version": 2, "run_id": run_id, "ranks": comm.size, "barrier_s": times_s}
        write_json(Path(record), document)


if __name__ == "__main__":
    main()
