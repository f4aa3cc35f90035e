"""Movement `scatter-gather`: the paper's Listing 1 with Bcast, Scatterv, convolve, Gatherv.

All data begins and ends at the root. If the grid cuts the batch alone, counts are in whole images, so the batch need
not divide evenly; with another grid each rank's part is one message. Partial sums are reduced before they are gathered.
With the option `in_place` (MPI_IN_PLACE) the root's own part is copied neither out of x nor into y.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mpi4py import MPI

from workload.domain.grid import Block, block_of, finisher, whole
from workload.instruments.clock import Clock
from workload.movement.descriptions.scatter_gather import x_in_place, y_in_place
from workload.movement.movement import ROOT, Float32, Sink, Spans, Task, fill_with_nan, index, touched
from workload.movement.partial_sums import PartialSums
from workload.movement.spread import PartsSpread, Spread


class ScatterGather:
    """Works with every grid."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._is_root = task.comm.rank == ROOT
        self._block = block_of(task.problem, task.grid, task.comm.rank)
        self._whole = whole(task.problem)

    def finished_blocks(self) -> list[Block]:
        return [self._whole] if self._is_root else []

    def prepare(self) -> None:
        task = self._task
        blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._sums = PartialSums(task.comm, task.grid)
        finished = [block.y_spans if finisher(task.grid, rank) == rank else None for rank, block in enumerate(blocks)]
        self._x_spread = self._spread(task.problem.x_shape, [block.x_spans for block in blocks])
        self._y_spread = self._spread(task.problem.y_shape, finished)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        # Only the root holds the whole batch.
        self._whole_x = touched(self._whole.x_shape) if self._is_root else None
        self._whole_y = touched(self._whole.y_shape) if self._is_root else None
        self._x, self._own_x = _part(self._whole_x, self._block.x_spans, x_in_place(task.options))
        self._y, self._own_y = _part(self._whole_y, self._block.y_spans, y_in_place(task.options, task.grid))

    def _spread(self, shape: tuple[int, ...], parts: Sequence[Spans | None]) -> PartsSpread:
        """How the parts of a whole array at the root get to their ranks and back."""
        return Spread(self._task.comm, shape, parts)

    def poison(self) -> None:
        buffers = [self._own_x, self._own_y, self._whole_x, self._whole_y, self._w_block]
        buffers += [self._x_spread.packed, self._y_spread.packed]
        if not self._is_root:
            buffers.append(self._w)
        for buffer in buffers:
            if buffer is not None:
                fill_with_nan(buffer)

    def repeat(self, clock: Clock) -> None:
        comm = self._task.comm
        if self._whole_x is not None:
            with clock.phase("load"):
                self._task.source(self._whole, self._whole_x)
        clock.forward_begins()
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._is_root else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
            self._x_spread.scatter(clock, self._whole_x, self._own_x)
        with clock.phase("convolve"):
            self._task.convolve(self._x, self._w_block, self._y)
        with clock.phase("collect"):
            self._sums.complete(clock, self._y)
            self._y_spread.gather(clock, self._own_y if self._sums.finishes else None, self._whole_y)
        clock.forward_ends()
        if self._whole_y is not None and self._sink is not None:
            with clock.phase("save"):
                self._sink(self._whole, self._whole_y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if self._whole_y is not None:
            yield self._whole, self._whole_y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        self._sums.close()
        self._x_spread.close()
        self._y_spread.close()


def _part(everything: Float32 | None, spans: Spans, in_place: bool) -> tuple[Float32, Float32 | None]:
    """A rank's part of x or y, and the buffer that holds it: none at a root that works in place."""
    if everything is not None and in_place:
        return everything[index(spans)], None
    own = touched(tuple(map(len, spans)))
    return own, own
