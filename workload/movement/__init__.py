"""Movements: how blocks travel between where data lives and the ranks. One signature, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.convolve import Convolve
from workload.domain import movements
from workload.domain.grid import Block, Grid, Span
from workload.domain.problem import Problem
from workload.instruments.clock import Clock

ROOT = 0
Float32 = NDArray[np.float32]
Spans = tuple[Span, Span, Span, Span]
Source = Callable[[Block, Float32], None]
Sink = Callable[[Block, Float32], None]


@dataclass(frozen=True)
class Task:
    """What a movement is built from: the ranks, the sizes, the code, and where x comes from and y goes.

    `source(block, out)` fills the block's part of x; `sink(block, y)` saves finished y, and is None
    where a repeat saves nothing. `weights` (O, C, KH, KW) float32 are the root's; the others receive theirs.
    """

    comm: MPI.Intracomm
    problem: Problem
    grid: Grid
    convolve: Convolve
    source: Source
    sink: Sink | None
    weights: Float32
    options: Mapping[str, int | str | bool]


class Movement(Protocol):
    """One way to move the blocks. `prepare` comes first, then any number of `poison`, `repeat`, `outputs`."""

    def finished_blocks(self) -> list[Block]:
        """The blocks of y that `outputs` or the sink will see on this rank; known before `prepare`."""

    def prepare(self) -> None:
        """Allocates and touches every buffer, off the clock."""

    def poison(self) -> None:
        """Fills with NaN every buffer of this rank that can hold x, y, w or a part of them, off the clock."""

    def repeat(self, clock: Clock) -> None:
        """One timed repeat."""

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        """This rank's finished y, for the check; nothing where the movement streams: there only the sink sees y."""

    def use_sink(self, sink: Sink) -> None:
        """Hands finished y to another sink from now on: the check's, in the untimed repeat of one that streams."""

    def close(self) -> None:
        """Gives back what Python's garbage collector does not: MPI datatypes, windows, files."""


@runtime_checkable
class CountsOutput(Protocol):
    """A movement whose ranks compute something else than their blocks of the grid."""

    def output_elements(self) -> int:
        """Elements of y that this rank really computes."""


def make(name: str, task: Task) -> Movement:
    """The movement of that name. Raises ValueError for an unknown one, and where it cannot serve the task's grid."""
    description = movements.describe(name)
    if objection := description.objection(task.grid):
        raise ValueError(objection)
    module, _, movement = description.implementation.partition(":")
    made: Movement = getattr(import_module(module), movement)(task)
    return made


def index(spans: Spans, origin: Spans | None = None) -> tuple[slice, ...]:
    """The spans as an index, of the whole array or of the part of it that begins at `origin`."""
    starts = [span.start for span in origin] if origin else [0] * 4
    return tuple(slice(span.start - start, span.stop - start) for span, start in zip(spans, starts, strict=True))


def touched(shape: tuple[int, ...]) -> Float32:
    """A float32 array whose pages exist: allocated by numpy, which asks for huge pages, and written once."""
    array = np.empty(shape, np.float32)
    array.fill(np.nan)
    return array
