"""What is asked of a GPU: memory, streams, events, launches. `driver.py` has NVIDIA's; tests have one that a CPU plays.

Work handed to a stream is done later, in its order; two streams have no order between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Extent(NamedTuple):
    """How many threads a block has, or how many blocks a launch has, along x and y."""

    x: int
    y: int


class Memory(Protocol):
    """Bytes on the device, until `free`."""

    address: int
    nbytes: int

    def free(self) -> None: ...


class Event(Protocol):
    """A moment in a stream: when all that was handed to it before was done."""

    def wait(self) -> None:
        """Returns when the device has come there."""

    def seconds_since(self, earlier: Event) -> float:
        """Seconds from an earlier event, by the device's own clock. The device must have come to both."""


class Kernel(Protocol):
    """Code on the device."""


class DeviceStream(Protocol):
    """Work in its order. Arrays must be contiguous and stay as they are until it is done."""

    def copy_in(self, memory: Memory, array: Float32) -> None:
        """Copies the whole array to the beginning of the memory."""

    def copy_out(self, array: Float32, memory: Memory) -> None:
        """Fills the whole array from the beginning of the memory."""

    def fill_with_nan(self, memory: Memory) -> None:
        """Sets every bit of the memory: as float32 all NaN."""

    def launch(
        self, kernel: Kernel, blocks: Extent, threads: Extent, memories: Sequence[Memory], positions: int
    ) -> None:
        """Starts `blocks` of `threads` each; the kernel's arguments are the addresses, then `positions` (64 bits)."""

    def event(self) -> Event:
        """The moment after all that was handed over so far."""

    def wait(self) -> None:
        """Returns when all that was handed over is done. Raises RuntimeError if any of it failed."""


class Device(Protocol):
    """One GPU, opened by this process."""

    def facts(self) -> dict[str, Any]:
        """Name, UUID, compute capability, memory and driver, as records have them (docs/formats.md)."""

    def pin(self, array: Float32) -> None:
        """Locks the pages of a contiguous array, so that copies run at the speed of the link; undone by `close`."""

    def memory(self, nbytes: int) -> Memory:
        """That many bytes. Raises MemoryError, naming what is free, if there is no room."""

    def stream(self) -> DeviceStream:
        """A new stream."""

    def compile(self, source: str, name: str) -> Kernel:
        """The kernel `name` of CUDA C source. Raises RuntimeError with the compiler's words if it refuses."""

    def close(self) -> None:
        """Gives back what was pinned. Memory is freed by its own `free`."""
