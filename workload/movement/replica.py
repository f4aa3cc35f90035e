"""Movement `replica`: the paper's program as published, wrong on purpose. For the audit's replay, never for a speedup.

The caller cuts the batch into N parts, and then each rank divides its part by N again: it convolves only
floor(floor(B / N) / N) of the floor(B / N) images it received. An in-place Allgather spreads the ranks' results over
every rank's local output, whose rest is never computed, and a Gather brings the local outputs to the root. The answer
is right at N = 1 alone.

Both of the paper's clocks follow from a repeat: convolution, barrier and allgather are the phases convolve and
collect without the call Gatherv; broadcast to gather is the forward section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mpi4py import MPI

from workload.domain.grid import Block, Span, whole
from workload.instruments.clock import Clock
from workload.movement.datatypes import image_type
from workload.movement.descriptions.replica import replica_images
from workload.movement.movement import ROOT, Float32, Sink, Task, fill_with_nan, touched
from workload.movement.spread import Spread


class Replica:
    """Cuts the batch alone."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._is_root = task.comm.rank == ROOT
        self._whole = whole(task.problem)
        self._share = task.problem.batch // task.comm.size  # images a rank receives; the remainder stays at the root
        self._done = replica_images(task.problem.batch, task.comm.size)  # of those, images a rank convolves

    def finished_blocks(self) -> list[Block]:
        return [self._whole] if self._is_root else []

    def output_elements(self) -> int:
        """Elements of y that this rank really computes."""
        return replace(self._whole, batch=Span(0, self._done)).y_elements

    def prepare(self) -> None:
        task = self._task
        self._spreads = [
            Spread(task.comm, shape, [(self._images(rank), *rest) for rank in range(task.comm.size)])
            for shape, rest in (
                (task.problem.x_shape, self._whole.x_spans[1:]),
                (task.problem.y_shape, self._whole.y_spans[1:]),
            )
        ]
        self._y_image = image_type(MPI.FLOAT, self._whole.y_shape[1:])
        self._w = task.weights.copy()
        self._x = touched((self._share, *self._whole.x_shape[1:]))
        self._y = touched((self._share, *self._whole.y_shape[1:]))
        self._whole_x = touched(self._whole.x_shape) if self._is_root else None
        self._whole_y = touched(self._whole.y_shape) if self._is_root else None

    def _images(self, rank: int) -> Span:
        return Span(rank * self._share, (rank + 1) * self._share)

    def poison(self) -> None:
        for buffer in (self._x, self._y, self._whole_x, self._whole_y):
            if buffer is not None:
                fill_with_nan(buffer)
        if not self._is_root:
            fill_with_nan(self._w)

    def repeat(self, clock: Clock) -> None:
        comm, (x_spread, y_spread) = self._task.comm, self._spreads
        if self._whole_x is not None:
            with clock.phase("load"):
                self._task.source(self._whole, self._whole_x)
        clock.forward_begins()
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._is_root else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            x_spread.scatter(clock, self._whole_x, self._x)
        with clock.phase("convolve"):
            self._convolve_part()
        with clock.phase("collect"):
            clock.mpi(comm.Barrier)
            each = self._done * self._y_image.Get_size()
            message = [self._y, self._done, self._y_image]
            clock.mpi(comm.Allgather, MPI.IN_PLACE, message, moved_bytes=2 * (comm.size - 1) * each)
            y_spread.gather(clock, self._y, self._whole_y)
        clock.forward_ends()
        if self._whole_y is not None and self._sink is not None:
            with clock.phase("save"):
                self._sink(self._whole, self._whole_y)

    def _convolve_part(self) -> None:
        """Convolves this rank's part of its part, at the place where the in-place Allgather expects it."""
        if self._done > 0:
            first = self._task.comm.rank * self._done
            part = slice(first, first + self._done)
            self._task.convolve(self._x[part], self._w, self._y[part])

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if self._whole_y is not None:
            yield self._whole, self._whole_y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        self._y_image.Free()
        for spread in self._spreads:
            spread.close()
