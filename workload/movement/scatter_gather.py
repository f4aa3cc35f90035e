"""Movement `scatter-gather`: the paper's Listing 1 with Bcast, Scatterv, convolve, Gatherv.

All data begins and ends at the root. Counts are in whole images, so the batch need not divide evenly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mpi4py import MPI

from workload.clock import Clock
from workload.grid import OUTPUT_AXES, Block, block_of, whole
from workload.movement import Float32, Task, touched
from workload.movement.images_type import image_type

ROOT = 0


class ScatterGather:
    """Raises ValueError for a grid that cuts anything but the batch."""

    def __init__(self, task: Task) -> None:
        cut = [axis for axis, parts in task.grid.as_dict().items() if parts > 1 and axis != OUTPUT_AXES[0]]
        if cut:
            raise ValueError(f"movement scatter-gather cuts the batch alone, but the grid cuts {', '.join(cut)}")
        self._task = task
        self._is_root = task.comm.rank == ROOT
        self._block = block_of(task.problem, task.grid, task.comm.rank)
        self._whole = whole(task.problem)
        spans = [block_of(task.problem, task.grid, rank).batch for rank in range(task.grid.ranks)]
        self._counts = [len(span) for span in spans]
        self._displacements = [span.start for span in spans]

    def finished_blocks(self) -> list[Block]:
        return [self._whole] if self._is_root else []

    def prepare(self) -> None:
        self._w = self._task.weights.copy()
        self._x, self._y = touched(self._block.x_shape), touched(self._block.y_shape)
        # Only the root has a whole batch: this is what its memory costs.
        self._whole_x = touched(self._whole.x_shape) if self._is_root else None
        self._whole_y = touched(self._whole.y_shape) if self._is_root else None
        self._x_image = image_type(MPI.FLOAT, self._block.x_shape[1:])
        self._y_image = image_type(MPI.FLOAT, self._block.y_shape[1:])

    def poison(self) -> None:
        buffers = [self._x, self._y, self._whole_x, self._whole_y]
        if not self._is_root:
            buffers.append(self._w)
        for buffer in buffers:
            if buffer is not None:
                buffer.fill(np.nan)

    def repeat(self, clock: Clock) -> None:
        if self._whole_x is not None:
            with clock.phase("load"):
                self._task.source(self._whole, self._whole_x)
        clock.forward_begins()
        with clock.phase("distribute"):
            self._distribute(clock)
        with clock.phase("convolve"):
            self._task.convolve(self._x, self._w, self._y)
        with clock.phase("collect"):
            self._collect(clock)
        clock.forward_ends()
        if self._whole_y is not None and self._task.sink is not None:
            with clock.phase("save"):
                self._task.sink(self._whole, self._whole_y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if self._whole_y is not None:
            yield self._whole, self._whole_y

    def close(self) -> None:
        self._x_image.Free()
        self._y_image.Free()

    def _distribute(self, clock: Clock) -> None:
        comm = self._task.comm
        receivers = comm.size - 1 if self._is_root else 1
        clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
        whole_x = None
        if self._whole_x is not None:
            whole_x = [self._whole_x, self._counts, self._displacements, self._x_image]
        clock.mpi(
            comm.Scatterv,
            whole_x,
            [self._x, self._counts[comm.rank], self._x_image],
            root=ROOT,
            moved_bytes=self._moved(self._x, self._whole_x),
        )

    def _collect(self, clock: Clock) -> None:
        comm = self._task.comm
        whole_y = None
        if self._whole_y is not None:
            whole_y = [self._whole_y, self._counts, self._displacements, self._y_image]
        clock.mpi(
            comm.Gatherv,
            [self._y, self._counts[comm.rank], self._y_image],
            whole_y,
            root=ROOT,
            moved_bytes=self._moved(self._y, self._whole_y),
        )

    def _moved(self, part: Float32, everything: Float32 | None) -> int:
        """Bytes that cross between this rank and others: the root exchanges all but its own part."""
        return part.nbytes if everything is None else everything.nbytes - part.nbytes
