"""A device that a CPU plays: the kernel's own source, compiled as C, run thread after thread.

What it is asked to do waits until somebody waits for it, and streams then take turns, the last one first: work that
nobody waited for is seen to be missing, and so is an order that only luck kept.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from workload.convolve import cuda, cuda_kernel
from workload.gpu import driver
from workload.gpu.device import Extent, Float32

COMPILER = shutil.which("gcc") or shutil.which("cc")
NO_COMPILER = "a C compiler plays the GPU in tests, and this machine has none"
_WORDS_OF_CUDA = """
#include <math.h>
#define __global__
#define __launch_bounds__(most)
#define _Pragma(text)
static struct { unsigned x, y; } blockIdx, threadIdx;
"""
_PLAY = """
void play(const unsigned *blocks, const unsigned *threads, void **memories, long long positions)
{
    for (blockIdx.y = 0; blockIdx.y < blocks[1]; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < blocks[0]; ++blockIdx.x)
            for (threadIdx.y = 0; threadIdx.y < threads[1]; ++threadIdx.y)
                for (threadIdx.x = 0; threadIdx.x < threads[0]; ++threadIdx.x)
                    KERNEL(MEMORIES, positions);
}
"""
_MEMORIES = {"convolve": 3, "copy": 2, "multiply_add": 2}  # that each kernel takes
GUARD = 64  # NaN before and after each memory: what reads past an end makes wrong answers, what writes there is caught


class PlayedMemory:
    def __init__(self, nbytes: int) -> None:
        self.nbytes, self.freed = nbytes, False
        self._all = np.full(nbytes // 4 + 2 * GUARD, np.nan, np.float32)
        self.floats = self._all[GUARD:-GUARD]
        self.address = self.floats.ctypes.data

    def free(self) -> None:
        assert not self.freed, "freed twice"
        self.freed = True
        edges = np.concatenate([self._all[:GUARD], self._all[-GUARD:]])
        assert np.isnan(edges).all(), "the kernel wrote beside its memory"


class PlayedEvent:
    def __init__(self, device: PlayedDevice, stream: PlayedStream) -> None:
        self._device, self._stream = device, stream
        self._handed_s = device.seen_s
        self.at_s: float | None = None

    def come(self) -> None:
        self.at_s = max(self._stream.done_s, self._handed_s)

    def wait(self) -> None:
        self._device.do_until(lambda: self.at_s is not None)
        assert self.at_s is not None
        self._device.seen_s = max(self._device.seen_s, self.at_s)

    def seconds_since(self, earlier: PlayedEvent) -> float:
        assert self.at_s is not None, "nobody waited for this event"
        assert earlier.at_s is not None, "nobody waited for the earlier event"
        return self.at_s - earlier.at_s


class Engine:
    """What does one thing at a time: a copy in, a copy out, or a kernel."""

    def __init__(self) -> None:
        self.free_s = 0.0


class PlayedStream:
    def __init__(self, device: PlayedDevice) -> None:
        self._device = device
        self.done_s = 0.0
        self.waiting: deque[Callable[[], None]] = deque()

    def copy_in(self, memory: PlayedMemory, array: Float32) -> None:
        assert array.flags.c_contiguous
        assert array.nbytes <= memory.nbytes
        copy = partial(np.copyto, memory.floats[: array.size], array.reshape(-1))
        self._add(self._device.link_in, array.nbytes, copy)

    def copy_out(self, array: Float32, memory: PlayedMemory) -> None:
        assert array.flags.c_contiguous
        assert array.nbytes <= memory.nbytes
        copy = partial(np.copyto, array.reshape(-1), memory.floats[: array.size])
        self._add(self._device.link_out, array.nbytes, copy)

    def fill_with_nan(self, memory: PlayedMemory) -> None:
        self._add(self._device.cores, memory.nbytes, lambda: memory.floats.fill(np.nan))

    def launch(
        self,
        kernel: Callable[..., None],
        blocks: Extent,
        threads: Extent,
        memories: Sequence[PlayedMemory],
        positions: int,
    ) -> None:
        assert math.prod(threads) <= 1024
        assert blocks.x < 2**31
        assert blocks.y < 2**16
        play = partial(kernel, blocks, threads, memories, positions)
        self._add(self._device.cores, sum(memory.nbytes for memory in memories), play)

    def event(self) -> PlayedEvent:
        event = PlayedEvent(self._device, self)
        self.waiting.append(event.come)
        return event

    def wait(self) -> None:
        self._device.do_until(lambda: not self.waiting)
        self._device.seen_s = max(self._device.seen_s, self.done_s)

    def _add(self, engine: Engine, nbytes: int, work: Callable[[], object]) -> None:
        """The engine takes a nanosecond for a byte, once it and the stream are free and the work was handed over."""
        handed_s = self._device.seen_s

        def do() -> None:
            self.done_s = engine.free_s = max(self.done_s, engine.free_s, handed_s) + nbytes * 1e-9
            work()

        self.waiting.append(do)


class PlayedDevice:
    """`number` tells it apart from others of the node."""

    def __init__(self, number: int = 0, folder: Path | None = None) -> None:
        self.number = number
        self.link_in, self.link_out, self.cores = Engine(), Engine(), Engine()
        self.seen_s = 0.0  # the latest moment that the host has waited for
        self._folder = folder or Path(mkdtemp(prefix="convscale-played-"))
        self._streams: list[PlayedStream] = []
        self.memories: list[PlayedMemory] = []
        self.pinned: list[Float32] = []

    def facts(self) -> dict[str, Any]:
        return {
            "name": "played by a CPU",
            "uuid": f"{self.number:032x}",
            "compute_capability": 9.0,
            "memory_bytes": 2**30,
            "driver_cuda": "12.0",
        }

    def pin(self, array: Float32) -> None:
        self.pinned.append(array)

    def memory(self, nbytes: int) -> PlayedMemory:
        self.memories.append(PlayedMemory(nbytes))
        return self.memories[-1]

    def stream(self) -> PlayedStream:
        self._streams.append(PlayedStream(self))
        return self._streams[-1]

    def compile(self, source: str, name: str) -> Callable[..., None]:
        return compiled(source, self._folder, name)

    def close(self) -> None:
        self.pinned.clear()

    @property
    def given_back(self) -> bool:
        """No memory is left on it, and no pages are locked for it."""
        return not self.pinned and all(memory.freed for memory in self.memories)

    def do_until(self, done: Callable[[], bool]) -> None:
        """Takes the first of each stream's work in turn, the newest stream first."""
        while not done():
            busy = [stream for stream in reversed(self._streams) if stream.waiting]
            assert busy, "waits for what nobody handed over"
            for stream in busy:
                stream.waiting.popleft()()


@contextmanager
def played_gpus(count: int, folder: Path) -> Iterator[list[PlayedDevice]]:
    """Puts so many played GPUs in place of the node's, for the backend `cuda` and the probe; yields the opened ones."""
    opened: list[PlayedDevice] = []

    def open_one(local_rank: int) -> PlayedDevice:
        opened.append(PlayedDevice(local_rank % count, folder))
        return opened[-1]

    real = driver.opened, driver.count, driver.missing
    driver.opened, driver.count, driver.missing = open_one, lambda: count, lambda: None
    cuda.use_gpu_of(0)
    try:
        yield opened
    finally:
        driver.opened, driver.count, driver.missing = real
        cuda.use_gpu_of(0)


def compiled(source: str, folder: Path, name: str) -> Callable[..., None]:
    """The kernel of that name as a function of the host. Raises RuntimeError with the compiler's words."""
    play = played_code(source, folder, name)

    def launch(blocks: Extent, threads: Extent, memories: Sequence[PlayedMemory], positions: int) -> None:
        assert not any(memory.freed for memory in memories), "launched on freed memory"
        addresses = (ctypes.c_void_p * len(memories))(*(memory.address for memory in memories))
        extents = [(ctypes.c_uint * 2)(*extent) for extent in (blocks, threads)]
        play(*extents, addresses, ctypes.c_longlong(positions))

    return launch


def played_code(source: str, folder: Path, name: str = cuda_kernel.NAME) -> Any:
    """The C function that runs every thread of a launch of the kernel."""
    memories = ", ".join(f"memories[{place}]" for place in range(_MEMORIES[name]))
    play = _PLAY.replace("KERNEL", name).replace("MEMORIES", memories)
    return library_of(_WORDS_OF_CUDA + source + play, folder).play


def library_of(text: str, folder: Path) -> ctypes.CDLL:
    """The C text, compiled unless it lies in the folder already. Raises RuntimeError with the compiler's words."""
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.so"
    if not path.exists():
        partial_path = path.with_suffix(f".{os.getpid()}")
        words = [str(COMPILER), "-x", "c", "-O1", "-shared", "-fPIC", *_fused(), "-o", str(partial_path), "-", "-lm"]
        answer = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise RuntimeError(f"the C compiler refuses it: {answer.stderr[:400]}")
        partial_path.replace(path)
    return ctypes.CDLL(str(path))


def _fused() -> list[str]:
    """Without it fmaf is a call of the C library: right, but slow."""
    return ["-mfma"] if " fma " in Path("/proc/cpuinfo").read_text() else []
