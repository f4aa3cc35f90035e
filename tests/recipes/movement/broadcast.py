"""Movement `broadcast`: every rank receives all of x and convolves its block out of it."""

from __future__ import annotations

from collections.abc import Iterator

from mpi4py import MPI

from workload.domain.grid import Block, block_of, finisher, whole
from workload.instruments.clock import Clock
from workload.movement.datatypes import run_type
from workload.movement.movement import ROOT, Float32, Sink, Task, fill_with_nan, index, touched
from workload.movement.partial_sums import PartialSums
from workload.movement.spread import Spread


class Broadcast:
    """Works with every grid."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._is_root = task.comm.rank == ROOT
        self._blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._block = self._blocks[task.comm.rank]
        self._whole = whole(task.problem)

    def finished_blocks(self) -> list[Block]:
        return [self._whole] if self._is_root else []

    def prepare(self) -> None:
        task = self._task
        blocks = enumerate(self._blocks)
        finished = [block.y_spans if finisher(task.grid, rank) == rank else None for rank, block in blocks]
        self._sums = PartialSums(task.comm, task.grid)
        self._spread = Spread(task.comm, task.problem.y_shape, finished)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        self._x, self._y = touched(self._whole.x_shape), touched(self._block.y_shape)
        self._x_type = run_type(self._x.size)
        self._whole_y = touched(self._whole.y_shape) if self._is_root else None

    def poison(self) -> None:
        buffers = [self._x, self._y, self._w_block, self._whole_y, None if self._is_root else self._w]
        for buffer in buffers:
            if buffer is not None:
                fill_with_nan(buffer)

    def repeat(self, clock: Clock) -> None:
        comm = self._task.comm
        if self._is_root:
            with clock.phase("load"):
                self._task.source(self._whole, self._x)
        clock.forward_begins()
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._is_root else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            clock.mpi(comm.Bcast, [self._x, 1, self._x_type], root=ROOT, moved_bytes=self._x.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
        with clock.phase("convolve"):
            self._task.convolve(self._x[index(self._block.x_spans)], self._w_block, self._y)
        with clock.phase("collect"):
            self._sums.complete(clock, self._y)
            self._spread.gather(clock, self._y if self._sums.finishes else None, self._whole_y)
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
        self._spread.close()
        self._x_type.Free()
