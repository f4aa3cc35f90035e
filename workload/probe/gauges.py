"""Measures what a node can do with 1 to n of its ranks active: copies, load, multiply-adds, backends.

Every gauge is taken in several passes over all gauges, so that its rounds are spread over the whole probe. A figure is
the median: what a run can expect of the machine as it is, other work on it included.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from mpi4py import MPI

from workload import convolve
from workload.convolve.simd import Compiler
from workload.data.images import Source
from workload.domain.backends import NON_TEMPORAL, ORDINARY, STORES, describe, names_on_cpu
from workload.domain.grid import whole
from workload.domain.problem import Problem
from workload.instruments import machine
from workload.instruments.clock import Now
from workload.probe.copy import LINE_FLOATS, Copy
from workload.probe.multiply_add import MultiplyAdd
from workload.probe.scale import Scale, spread

ROOT = 0
Work = Callable[[], object]
NO_CODE = (ImportError, RuntimeError, OSError, ValueError)  # a backend that does not work on this processor
MEMORY_SHARE = 0.25  # of a node's memory that the probe's arrays may take
SHORTEST_S = 1e-6
POLL_S = 0.001
PICTURES = 2  # in the pool that the load is made from


@dataclass(frozen=True)
class Gauge:
    """One thing to measure: `prepare` allocates and returns the function to time, run by the first `active` ranks.

    `amount` is the work of one call, in the unit that the figure divides by seconds.
    """

    kind: str
    about: Mapping[str, Any]
    active: int
    unit: str
    amount: float
    prepare: Callable[[], Work]
    samples: list[float] = field(default_factory=list)

    def take(self, node: MPI.Comm, now: Now, scale: Scale) -> None:
        """Adds the seconds of a pass, in each round the slowest rank's. All ranks of the node call it together."""
        works = node.rank < self.active
        work = self.prepare() if works else None
        if work is not None:
            work()  # so that pages, caches and compiled code are ready before the first round

        def seconds(turns: int) -> float:
            node.Barrier()
            begun = now()
            if work is not None:
                for _ in range(turns):
                    work()
            return longest(node, (now() - begun) / turns if works else None)

        turns = max(1, round(scale.round_s / max(seconds(1), SHORTEST_S)))
        self.samples.extend(seconds(turns) for _ in range(scale.rounds))

    def figure(self) -> dict[str, Any]:
        """The rate at the median of all rounds, and the spread of these."""
        rate = self.amount / statistics.median(self.samples)
        return {**self.about, "active": self.active, self.unit: rate, "spread": spread(self.samples)}


def longest(node: MPI.Comm, spent_s: float | None) -> float:
    """The longest of the seconds of all ranks. Those that have none sleep until then.

    MPI would let them poll, and a rank that polls slows one on the other hardware thread of its core as if it worked.
    """
    longest = np.zeros(1)
    request = node.Iallreduce(np.array([spent_s or 0.0]), longest, op=MPI.MAX)
    if spent_s is None:
        while not request.Test():
            time.sleep(POLL_S)
    request.Wait()
    return float(longest[0])


def counts(ranks: int) -> list[int]:
    """The numbers of active ranks to measure with: powers of two, and all."""
    return sorted({*(2**power for power in range(ranks.bit_length()) if 2**power < ranks), ranks})


def gauges(node: MPI.Comm, now: Now, scale: Scale) -> list[Gauge]:
    """All gauges of a node, the same on each of its ranks."""
    actives = counts(node.size)
    found = [_copy("memory", size, active) for active in actives for size in _sizes(node, scale)]
    found += [gauge for active in actives for gauge in _stores(min(_sizes(node, scale)), active)]
    found += [_copy("cache", size, active) for active in actives for size in scale.cache_bytes]
    found += [_load(scale, active) for active in actives]
    found += [gauge for active in actives for gauge in _multiply_add(scale, active)]
    for name in backends():
        block = _block(node, now, scale, name)
        found += [_convolve(name, block, active, kind) for active in actives for kind in describe(name).stores]
    return found


def _sizes(node: MPI.Comm, scale: Scale) -> list[int]:
    """The copy sizes for which two arrays on every rank fit the node's memory; always the smallest."""
    found = machine.describe("")
    least = min(found["memory_bytes"], found["cgroup_memory_bytes"] or math.inf)
    most = node.bcast(MEMORY_SHARE * least / (2 * node.size), root=ROOT)
    return [size for size in scale.copy_bytes if size <= most] or [min(scale.copy_bytes)]


def _copy(kind: str, size: int, active: int) -> Gauge:
    """Bytes per second, read and written, of all active ranks together, copying arrays."""

    def prepare() -> Work:
        source = np.ones(size // 4, np.float32)
        target = np.empty_like(source)
        return lambda: np.copyto(target, source)

    return Gauge(kind, {"copy_bytes": size}, active, "bytes_per_s", 2.0 * size * active, prepare)


def _stores(size: int, active: int) -> Iterator[Gauge]:
    """The same by vectors of our own, with each kind of stores. Nothing if there is no code for this processor."""
    try:
        copies = {kind: Copy(streamed=kind == NON_TEMPORAL) for kind in STORES}
    except NO_CODE:
        return

    def prepared(copy: Copy) -> Work:
        memory = np.ones(2 * size // 4 + LINE_FLOATS, np.float32)
        first = -(memory.ctypes.data // 4) % LINE_FLOATS
        source, target = (memory[start : start + size // 4] for start in (first, first + size // 4))
        return lambda: copy(source, target)

    for kind, copy in copies.items():
        about = {"stores": kind, "copy_bytes": size}
        yield Gauge("stores", about, active, "bytes_per_s", 2.0 * size * active, partial(prepared, copy))


def _load(scale: Scale, active: int) -> Gauge:
    """Bytes of x per second that the slowest rank makes from the pool of pictures."""
    batch, channels, height, width = scale.block

    def prepare() -> Work:
        source = Source(np.ones((PICTURES, channels, height, width), np.uint8))
        block = whole(Problem(batch, channels, 1, height, width, 1))
        x = np.empty(block.x_shape, np.float32)
        return lambda: source(block, x)

    return Gauge("load", {}, active, "bytes_per_s", 4.0 * math.prod(scale.block), prepare)


def _multiply_add(scale: Scale, active: int) -> Iterator[Gauge]:
    """Floating-point operations per second of the slowest rank in multiply-adds from registers (float32).

    Nothing if there is no code for this processor.
    """
    try:
        run = MultiplyAdd(Compiler().level.lanes)
    except NO_CODE:
        return
    yield Gauge(
        "multiply_add", {}, active, "flops_per_s", 2.0 * scale.multiply_adds, lambda: lambda: run(scale.multiply_adds)
    )


def backends() -> Iterator[str]:
    """The backends that the cores of this node can run."""
    for name in names_on_cpu():
        try:
            convolve.load(name).compile((1, 1, 4, 4), (1, 1, 3, 3))
        except NO_CODE:
            continue  # a run with it would say so
        yield name


def _block(node: MPI.Comm, now: Now, scale: Scale, name: str) -> tuple[int, int, int, int]:
    """The block to measure a backend with, the same on all ranks of the node."""
    slow = False
    if node.rank == ROOT:
        work = _convolve(name, scale.small_block, 1, ORDINARY).prepare()
        work()
        begun = now()
        work()
        slow = now() - begun > scale.slow_s
    return scale.small_block if node.bcast(slow, root=ROOT) else scale.block


def _convolve(name: str, shape: tuple[int, int, int, int], active: int, stores: str) -> Gauge:
    """Floating-point operations per second of the slowest rank in a backend's convolution of one block."""
    batch, channels, height, width = shape
    y_shape = (batch, 3, height - 2, width - 2)

    def prepare() -> Work:
        x, w, y = np.ones(shape, np.float32), np.ones((3, channels, 3, 3), np.float32), np.empty(y_shape, np.float32)
        backend = convolve.load(name, stores=stores)
        backend.compile(x.shape, w.shape)
        return lambda: backend.convolve(x, w, y)

    operations = 2.0 * math.prod(y_shape) * channels * 9
    return Gauge("convolve", {"backend": name, "stores": stores}, active, "flops_per_s", operations, prepare)
