"""Movement `serial`: one rank, and no MPI call between load and answer. The baseline of every speedup."""

from __future__ import annotations

from collections.abc import Iterator

from workload.domain.grid import Block, whole
from workload.instruments.clock import Clock
from workload.movement.movement import Float32, Sink, Task, fill_with_nan, touched


class Serial:
    """For a grid of one part."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._block = whole(task.problem)

    def finished_blocks(self) -> list[Block]:
        return [self._block]

    def prepare(self) -> None:
        self._x = touched(self._block.x_shape)
        self._y = touched(self._block.y_shape)

    def poison(self) -> None:
        fill_with_nan(self._x)
        fill_with_nan(self._y)

    def repeat(self, clock: Clock) -> None:
        with clock.phase("load"):
            self._task.source(self._block, self._x)
        clock.forward_begins(synchronise=False)
        with clock.phase("convolve"):
            self._task.convolve(self._x, self._task.weights, self._y)
        clock.forward_ends(synchronise=False)
        if self._sink is not None:
            with clock.phase("save"):
                self._sink(self._block, self._y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        yield self._block, self._y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        """There is nothing to free."""
