"""What all movements share: the task that they are built from, the protocol that they follow, and their buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.convolve import Convolve
from workload.domain.grid import Block, Grid, Span
from workload.domain.problem import Problem
from workload.instruments.clock import Clock

ROOT = 0
Float32 = NDArray[np.float32]
PAGE_ELEMENTS = 1024  # in the smallest pages, of 4 KiB
Spans = tuple[Span, Span, Span, Span]
Source = Callable[[Block, Float32], None]
Sink = Callable[[Block, Float32], None]


@dataclass(frozen=True)
class Task:
    """What a movement is built from: ranks, sizes, code, and where x comes from and y goes.

    `source(block, out)` fills `out`, of shape `block.x_shape`, with the block's part of x. `sink(block, y)` saves
    finished y; it is None if the run saves nothing. In a repeat all ranks call `convolve`, or none of them: the first
    call may wait for the others. `weights` (O, C, KH, KW) float32 are valid at the root; the other
    ranks receive them in every repeat.
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
    """One way to move the blocks.

    Called in this order: `finished_blocks`, `prepare`, then `poison`, `repeat` and `outputs` any number of times, and
    `close`. All ranks call each method together.
    """

    def finished_blocks(self) -> list[Block]:
        """The blocks of y that `outputs` or the sink will see on this rank."""

    def prepare(self) -> None:
        """Allocates and touches every buffer, off the clock."""

    def poison(self) -> None:
        """Fills with NaN every buffer of this rank that can hold x, y, w or a part of them, off the clock.

        So an answer left over from the last repeat fails the check.
        """

    def repeat(self, clock: Clock) -> None:
        """One timed repeat."""

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        """This rank's finished y, for the check. Nothing if the movement streams: only the sink sees y then."""

    def use_sink(self, sink: Sink) -> None:
        """Hands finished y to this sink from now on: how the output of a movement that streams is checked."""

    def close(self) -> None:
        """Frees what Python's garbage collector does not: MPI datatypes, windows, communicators."""


@runtime_checkable
class CountsOutput(Protocol):
    """A movement whose ranks compute something other than their blocks of the grid."""

    def output_elements(self) -> int:
        """Elements of y that this rank really computes."""


@runtime_checkable
class UsesDevice(Protocol):
    """A movement whose ranks compute on a GPU."""

    def device_facts(self) -> dict[str, Any]:
        """What this rank's GPU is, as records have it (docs/formats.md)."""


def index(spans: Spans, origin: Spans | None = None) -> tuple[slice, ...]:
    """The spans as an index into the whole array, or into the part of it that begins at `origin`."""
    starts = [span.start for span in origin] if origin else [0] * 4
    return tuple(slice(span.start - start, span.stop - start) for span, start in zip(spans, starts, strict=True))


def touched(shape: tuple[int, ...]) -> Float32:
    """A float32 array whose pages exist. numpy allocates it, since it asks the kernel for huge pages."""
    array = np.empty(shape, np.float32)
    touch(array)
    return array


def touch(array: Float32) -> None:
    """Writes to every page of the array, whose last axis is contiguous, so that this rank is the first to touch it."""
    runs = array.reshape(-1) if array.flags.c_contiguous else array
    runs[..., ::PAGE_ELEMENTS] = np.nan
    runs[..., -1:] = np.nan


def fill_with_nan(array: Float32) -> None:
    """Fills the array, whose last axis is contiguous: as bytes, all ones being a NaN, in half the time of floats."""
    array.view(np.uint8).fill(0xFF)
