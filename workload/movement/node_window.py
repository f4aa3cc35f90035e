"""Arrays in memory that the ranks of a node share: an MPI-3 window with a segment for each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from mpi4py import MPI

from workload.movement.movement import Float32


class NodeWindow:
    """One float32 array of `shape` for each rank of the node; all of them make it together.

    A shape with a 0 in it is no array. `sync` orders this rank's reads and writes with the others': call it after
    writing, before telling another rank, and there before reading.
    """

    def __init__(self, node: MPI.Intracomm, shape: Sequence[int]) -> None:
        self._window = MPI.Win.Allocate_shared(4 * math.prod(shape), 4, comm=node)
        self._window.Lock_all(MPI.MODE_NOCHECK)

    def array(self, owner: int, shape: Sequence[int]) -> Float32:
        """The array of this rank of the node, which must have been made with that shape."""
        memory, _ = self._window.Shared_query(owner)
        return np.ndarray(shape, np.float32, memory)  # type: ignore[arg-type]  # mpi4py's buffer type

    def sync(self) -> None:
        self._window.Sync()

    def free(self) -> None:
        """Frees the memory of all arrays: no rank of the node may use one from then on."""
        self._window.Unlock_all()
        self._window.Free()
