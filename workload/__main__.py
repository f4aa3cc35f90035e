"""Entry point of the ranks: `mpirun ... python -m mpi4py -m workload --run run.json --record out.json ...`.

Reads a run and carries it out; rank 0 writes one measurement, whole or not at all. The only module that uses
COMM_WORLD, real clocks and the environment.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from workload import convolve
from workload.data.output import Output
from workload.data.preview import preview
from workload.instruments.clock import Clocks
from workload.measure import measure
from workload.record.files import read_json, write_json
from workload.record.run import Run
from workload.record.schema import SchemaError


def main() -> None:
    arguments = _arguments()
    comm = MPI.COMM_WORLD
    try:
        # only the node where mpirun was started has run.json
        document = comm.bcast(read_json(arguments.run) if comm.rank == 0 else None)
        run, stores = Run.from_dict(document["run"]), document.get("stores")
        convolve.load(run.backend, _kernels_folder())
        gc.disable()  # or a collection inside a repeat would be timed
        gc.freeze()  # those between repeats need not look through everything that was imported
        clocks = Clocks(time.monotonic, MPI.Wtime, time.process_time)
        output = _output(arguments.save_to) if run.save else None
        measurement = measure(comm, run, arguments.images, clocks, output, stores)
        if measurement is not None:
            if arguments.preview is not None:
                np.savez(arguments.preview, allow_pickle=False, **preview(run, arguments.images))
            write_json(arguments.record, measurement)
    except (OSError, ValueError, KeyError, SchemaError, MemoryError, ImportError, RuntimeError) as error:
        print(f"convscale: rank {comm.rank}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error  # python -m mpi4py turns this into MPI_Abort


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="workload", description="Carries out one run on the ranks that mpirun starts."
    )
    parser.add_argument("--run", type=Path, required=True, help="run.json: what to compute and how")
    parser.add_argument("--record", type=Path, required=True, help="where rank 0 writes the measurement")
    parser.add_argument("--images", type=Path, required=True, help="the pool of pictures, a uint8 .npy file")
    parser.add_argument("--save-to", type=Path, help="folder for y, if the run saves it in its repeats")
    parser.add_argument("--preview", type=Path, help="where rank 0 writes one input and output picture (.npz)")
    return parser.parse_args()


def _kernels_folder() -> Path:
    """In the user's cache folder, so that the next run of the shape finds its kernel compiled."""
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(caches) / "convscale" / "kernels"


def _output(folder: Path | None) -> Output:
    if folder is None:
        raise ValueError("the run saves y, but --save-to names no folder")
    return Output(folder)


if __name__ == "__main__":
    main()
    MPI.Finalize()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # to take the interpreter apart would keep the next run waiting
