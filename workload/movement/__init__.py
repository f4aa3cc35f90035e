"""Movements: how blocks travel between where data lives and the ranks. One signature, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.clock import Clock
from workload.convolve import Convolve
from workload.grid import Block, Grid
from workload.problem import Problem

Float32 = NDArray[np.float32]
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
        """The blocks of y that `outputs` will hand over on this rank; known before `prepare`."""

    def prepare(self) -> None:
        """Allocates and touches every buffer, off the clock."""

    def poison(self) -> None:
        """Fills with NaN every buffer of this rank that can hold x, y, w or a part of them, off the clock."""

    def repeat(self, clock: Clock) -> None:
        """One timed repeat."""

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        """This rank's finished y, for the check."""

    def close(self) -> None:
        """Gives back what Python's garbage collector does not: MPI datatypes, windows, files."""


_MODULES = {
    "serial": ("workload.movement.serial", "Serial"),
    "scatter-gather": ("workload.movement.scatter_gather", "ScatterGather"),
}


def names() -> tuple[str, ...]:
    return tuple(_MODULES)


def make(name: str, task: Task) -> Movement:
    """The movement of that name. Raises ValueError for an unknown one, and where it cannot serve the task's grid."""
    if name not in _MODULES:
        raise ValueError(f"movement {name!r} is unknown: it is one of {', '.join(_MODULES)}")
    module, movement = _MODULES[name]
    made: Movement = getattr(import_module(module), movement)(task)
    return made


def touched(shape: tuple[int, ...]) -> Float32:
    """A float32 array whose pages exist: allocated by numpy, which asks for huge pages, and written once."""
    array = np.empty(shape, np.float32)
    array.fill(np.nan)
    return array
