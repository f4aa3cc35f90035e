"""Writes finished y to one .npy file: every rank writes its own blocks with MPI-IO.

The file lies in a folder that all nodes share; `fab check` refuses a study that saves where they do not.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.domain.grid import Block
from workload.domain.problem import ITEM_BYTES, Problem
from workload.movement.datatypes import part_type, run_type

Float32 = NDArray[np.float32]
FILE_NAME = "y.npy"


class Output:
    """A sink that writes `y.npy` into `folder`. All ranks call `begin` and `end` together, off the clock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def begin(self, comm: MPI.Intracomm, problem: Problem) -> None:
        """Makes the file at rank 0 and opens it on every rank. Raises OSError, also if a rank does not see it."""
        self._shape = problem.y_shape
        header = _header(self._shape)
        self._origin = len(header)
        if comm.rank == 0:
            with self._path.open("wb") as file:
                file.write(header)
                file.truncate(len(header) + ITEM_BYTES * math.prod(self._shape))  # zeros, which take no space yet
        comm.Barrier()
        try:
            self._file = MPI.File.Open(MPI.COMM_SELF, str(self._path), MPI.MODE_WRONLY)
        except MPI.Exception as error:
            raise OSError(
                f"{self._path}: not opened by rank {comm.rank} ({error.Get_error_string()}): "
                "let all nodes share the folder, or set save = false"
            ) from error

    def __call__(self, block: Block, y: Float32) -> None:
        """Writes a finished block, y of shape `block.y_shape`, to its place in the file. Raises OSError."""
        part, elements = part_type(self._shape, block.y_spans), run_type(y.size)
        try:
            self._file.Set_view(self._origin, MPI.FLOAT, part)
            self._file.Write_at(0, [np.ascontiguousarray(y), 1, elements])
        except MPI.Exception as error:
            raise OSError(f"{self._path}: y was not written: {error.Get_error_string()}") from error
        finally:
            part.Free()
            elements.Free()

    def end(self) -> None:
        """Closes the file."""
        self._file.Close()


def _header(shape: tuple[int, ...]) -> bytes:
    """The head of a .npy file of float32 in this shape."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()
