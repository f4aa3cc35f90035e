"""Completes output blocks whose sum is cut (in_channel, tap_row, tap_column), by a reduction over their ranks."""

from __future__ import annotations

from mpi4py import MPI

from workload.domain.grid import Grid, finisher
from workload.instruments.clock import Clock
from workload.movement.movement import Float32

MOST = 2**28  # elements of one reduction: within MPI's counts, and large enough to cost nothing


class PartialSums:
    """The ranks that share an output block. The first of them, the finisher, ends up with the sum."""

    def __init__(self, comm: MPI.Intracomm, grid: Grid) -> None:
        self.finishes = finisher(grid, comm.rank) == comm.rank
        self._group = comm.Split(finisher(grid, comm.rank), comm.rank) if grid.sum_parts > 1 else None

    def complete(self, clock: Clock, y: Float32) -> None:
        """Adds the partial sums y, contiguous, of all ranks of the group into the finisher's y."""
        if self._group is None:
            return
        flat = y.reshape(-1)
        others = self._group.size - 1 if self.finishes else 1
        for start in range(0, flat.size, MOST):
            part = flat[start : start + MOST]
            send, receive = (MPI.IN_PLACE, part) if self.finishes else (part, None)
            clock.mpi(self._group.Reduce, send, receive, op=MPI.SUM, root=0, moved_bytes=others * part.nbytes)

    def close(self) -> None:
        if self._group is not None:
            self._group.Free()
