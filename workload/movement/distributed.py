"""Movement `distributed`: each rank makes its own block of x and keeps its own part of y (the paper's outlook).

Nothing but the weights passes through the root. With the option `chunk_bytes` a rank works through its block piece by
piece, so that its memory is bounded; y is then never whole, not even on its rank.
"""

from __future__ import annotations

from collections.abc import Iterator

from mpi4py import MPI

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.grid import Block, block_of, finisher
from workload.instruments.clock import Clock
from workload.movement.descriptions.distributed import streams
from workload.movement.movement import ROOT, Float32, Sink, Task, fill_with_nan, index, touched
from workload.movement.partial_sums import PartialSums


class Distributed:
    """Works with every grid. Raises ValueError unless `chunk_bytes` is a positive whole number."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._block = blocks[task.comm.rank]
        self._streams = streams(task.options)
        self._steps = pieces_of(blocks, chunk_bytes_of(task.options) * task.comm.size) if self._streams else 1

    def finished_blocks(self) -> list[Block]:
        rank = self._task.comm.rank
        return [self._block] if finisher(self._task.grid, rank) == rank else []

    def prepare(self) -> None:
        largest = piece(self._block, self._steps, 0)
        self._sums = PartialSums(self._task.comm, self._task.grid)
        self._w, self._w_block = self._task.weights.copy(), touched(self._block.w_shape)
        self._x, self._y = touched(largest.x_shape), touched(largest.y_shape)

    def poison(self) -> None:
        buffers = [self._x, self._y, self._w_block, *([] if self._task.comm.rank == ROOT else [self._w])]
        for buffer in buffers:
            fill_with_nan(buffer)

    def repeat(self, clock: Clock) -> None:
        if self._streams:
            self._get_weights(clock)
            for step in range(self._steps):
                self._do_piece(clock, piece(self._block, self._steps, step))
            return
        with clock.phase("load"):
            self._task.source(self._block, self._x)
        clock.forward_begins()
        self._get_weights(clock)
        self._convolve(clock, self._x, self._y)
        clock.forward_ends()
        self._save(clock, self._block, self._y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if not self._streams and self._sums.finishes:
            yield self._block, self._y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        self._sums.close()

    def _get_weights(self, clock: Clock) -> None:
        comm = self._task.comm
        with clock.phase("distribute"):
            receivers = comm.size - 1 if comm.rank == ROOT else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]

    def _do_piece(self, clock: Clock, block: Block) -> None:
        x, y = self._x[: len(block.batch)], self._y[: len(block.batch)]
        with clock.phase("load"):
            self._task.source(block, x)
        self._convolve(clock, x, y)
        self._save(clock, block, y)

    def _convolve(self, clock: Clock, x: Float32, y: Float32) -> None:
        with clock.phase("convolve"):
            self._task.convolve(x, self._w_block, y)
        with clock.phase("collect"):
            self._sums.complete(clock, y)

    def _save(self, clock: Clock, block: Block, y: Float32) -> None:
        if self._sums.finishes and self._sink is not None:
            with clock.phase("save"):
                self._sink(block, y)
