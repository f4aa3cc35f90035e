"""Movement `pipeline`: the root streams pieces of the blocks; ranks convolve one while the next arrives.

A piece is some consecutive images of a rank's block. While step t is convolved, step t + 1 is on its way and the
results of step t - 1 come back. The root holds two steps of x and of y, whatever the batch; the option `chunk_bytes`
bounds x of one step over all ranks. x and y are never whole anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from mpi4py import MPI

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.grid import Block, block_of, finisher
from workload.instruments.clock import Clock
from workload.movement.movement import ROOT, Float32, Sink, Task, fill_with_nan, index, touched
from workload.movement.partial_sums import PartialSums
from workload.movement.transfer import transfer

X_TAG, Y_TAG = 1, 2


class Pipeline:
    """Works with every grid. Raises ValueError unless `chunk_bytes` is a positive whole number."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._is_root = task.comm.rank == ROOT
        self._blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._block = self._blocks[task.comm.rank]
        self._steps = pieces_of(self._blocks, chunk_bytes_of(task.options))
        self._finishes = finisher(task.grid, task.comm.rank) == task.comm.rank
        self._finishers = [rank for rank in range(task.grid.ranks) if finisher(task.grid, rank) == rank]

    def finished_blocks(self) -> list[Block]:
        return [self._blocks[rank] for rank in self._finishers] if self._is_root else []

    def prepare(self) -> None:
        task = self._task
        self._sums = PartialSums(task.comm, task.grid)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        held = range(task.grid.ranks) if self._is_root else [task.comm.rank]
        # Two buffers of each: one is filled or emptied while the other is in use.
        self._x = {rank: [touched(self._first(rank).x_shape) for _ in range(2)] for rank in held}
        # A rank holds partial sums even if another finishes them; the root receives the finishers' pieces.
        self._y = {
            rank: [touched(self._first(rank).y_shape) for _ in range(2)]
            for rank in held
            if rank == task.comm.rank or rank in self._finishers
        }
        self._y_requests: list[list[MPI.Request]] = [[], []]
        self._x_requests: list[list[MPI.Request]] = [[], []]

    def poison(self) -> None:
        buffers = [buffer for pair in [*self._x.values(), *self._y.values()] for buffer in pair]
        for buffer in [*buffers, self._w_block, *([] if self._is_root else [self._w])]:
            fill_with_nan(buffer)

    def repeat(self, clock: Clock) -> None:
        comm = self._task.comm
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._is_root else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
        self._start_step(clock, 0)
        for step in range(self._steps):
            if step + 1 < self._steps:
                self._start_step(clock, step + 1)
            self._finish_step(clock, step)
        for step in range(max(0, self._steps - 2), self._steps):
            self._take_results(clock, step)
        with clock.phase("distribute"):
            for requests in self._x_requests:
                clock.mpi(MPI.Request.Waitall, requests)
        self._x_requests = [[], []]

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        return iter(())

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        self._sums.close()

    def _first(self, rank: int) -> Block:
        """A rank's largest piece."""
        return piece(self._blocks[rank], self._steps, 0)

    def _start_step(self, clock: Clock, step: int) -> None:
        """The root makes and sends the step's pieces; the others wait for theirs in the background."""
        comm, slot = self._task.comm, step % 2
        if not self._is_root:
            block = piece(self._block, self._steps, step)
            buffer = self._x[comm.rank][slot][: len(block.batch)]
            with clock.phase("distribute"):
                request = transfer(clock, comm.Irecv, buffer, ROOT, X_TAG)
            self._x_requests[slot] = [request]
            return
        with clock.phase("distribute"):
            clock.mpi(MPI.Request.Waitall, self._x_requests[slot])
        self._x_requests[slot] = []
        for rank, whole_block in enumerate(self._blocks):
            block = piece(whole_block, self._steps, step)
            buffer = self._x[rank][slot][: len(block.batch)]
            with clock.phase("load"):
                self._task.source(block, buffer)
            if rank != ROOT:
                with clock.phase("distribute"):
                    self._x_requests[slot].append(transfer(clock, comm.Isend, buffer, rank, X_TAG))

    def _finish_step(self, clock: Clock, step: int) -> None:
        """Convolves this rank's piece and sends it on; the root posts receives for the others' results."""
        comm, slot = self._task.comm, step % 2
        images = len(piece(self._block, self._steps, step).batch)
        x, y = self._x[comm.rank][slot][:images], self._y[comm.rank][slot][:images]
        if step >= 2:
            self._take_results(clock, step - 2)
        if self._is_root:
            with clock.phase("collect"):
                self._y_requests[slot] = [self._expect(clock, step, rank) for rank in self._finishers if rank != ROOT]
        else:
            with clock.phase("distribute"):
                clock.mpi(MPI.Request.Waitall, self._x_requests[slot])
        with clock.phase("convolve"):
            self._task.convolve(x, self._w_block, y)
        with clock.phase("collect"):
            self._sums.complete(clock, y)
            if self._finishes and not self._is_root:
                self._y_requests[slot] = [transfer(clock, comm.Isend, y, ROOT, Y_TAG)]

    def _expect(self, clock: Clock, step: int, rank: int) -> MPI.Request:
        images = len(piece(self._blocks[rank], self._steps, step).batch)
        return transfer(clock, self._task.comm.Irecv, self._y[rank][step % 2][:images], rank, Y_TAG)

    def _take_results(self, clock: Clock, step: int) -> None:
        """Waits for the step's results, which frees their buffers; the root hands them to the sink."""
        slot = step % 2
        with clock.phase("collect"):
            clock.mpi(MPI.Request.Waitall, self._y_requests[slot])
        self._y_requests[slot] = []
        if self._is_root and self._sink is not None:
            for rank in self._finishers:
                block = piece(self._blocks[rank], self._steps, step)
                with clock.phase("save"):
                    self._sink(block, self._y[rank][slot][: len(block.batch)])
