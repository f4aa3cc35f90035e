"""Measures what the GPUs of a node can do, with 1 to all of them at work, a rank each.

Copies and kernels are timed by the device's own clock, as `device_s` of a run is, and launches by the host's. A node
without a GPU that can be used has none of this, and says why.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI

from workload.gpu import driver
from workload.gpu.device import Device, DeviceStream
from workload.instruments.clock import Now
from workload.probe.gauges import ROOT, SHORTEST_S, counts, longest
from workload.probe.gpu_kernels import COPY, FLOPS, MULTIPLY_ADD, QUAD_BYTES, launched, source
from workload.probe.scale import Scale, spread

FACTOR = 0.5  # multiplied and added without end it stays a normal number
UNUSABLE = (RuntimeError, MemoryError, OSError)  # why a GPU is left out


class GpuBench:
    """One GPU, with the code and the arrays of all its gauges, until `close`.

    Each gauge takes a number of turns, and returns the seconds of one. Raises RuntimeError or MemoryError where the
    GPU lacks anything.
    """

    def __init__(self, device: Device, now: Now, scale: Scale) -> None:
        self._now = now
        self._quads, self._threads = scale.gpu_bytes // QUAD_BYTES, scale.gpu_threads
        self._kernels = {name: device.compile(source(name), name) for name in (COPY, MULTIPLY_ADD)}
        self._streams = device.stream(), device.stream()
        self.facts = device.facts()
        with ExitStack() as held:
            held.callback(device.close)
            self._sent, self._received = (np.full(scale.gpu_bytes // 4, FACTOR, np.float32) for _ in range(2))
            device.pin(self._sent)
            device.pin(self._received)
            self._x = device.memory(scale.gpu_bytes)
            held.callback(self._x.free)
            self._y = device.memory(scale.gpu_bytes)
            held.callback(self._y.free)
            self._held = held.pop_all()

    def close(self) -> None:
        self._held.close()

    def to_device(self, turns: int) -> float:
        return self._taken(turns, self._send)

    def to_host(self, turns: int) -> float:
        return self._taken(turns, self._receive)

    def both(self, turns: int) -> float:
        """As many bytes each way at once."""
        return self._taken(turns, self._send, self._receive)

    def copy(self, turns: int) -> float:
        return self._taken(turns, lambda stream: self._launch(stream, COPY, self._quads))

    def multiply_add(self, turns: int) -> float:
        return self._taken(turns, lambda stream: self._launch(stream, MULTIPLY_ADD, self._threads))

    def launch(self, turns: int) -> float:
        """Of the host: until a kernel that does next to nothing is done, and the host knows it."""
        stream = self._streams[0]
        begun = self._now()
        for _ in range(turns):
            self._launch(stream, COPY, 1)
            stream.wait()
        return (self._now() - begun) / turns

    def _send(self, stream: DeviceStream) -> None:
        stream.copy_in(self._x, self._sent)

    def _receive(self, stream: DeviceStream) -> None:
        stream.copy_out(self._received, self._y)

    def _launch(self, stream: DeviceStream, name: str, positions: int) -> None:
        stream.launch(self._kernels[name], *launched(name, positions), (self._x, self._y), positions)

    def _taken(self, turns: int, *works: Callable[[DeviceStream], None]) -> float:
        """By the device's clock, all works at once, each in a stream of its own."""
        streams = self._streams[: len(works)]
        begun = streams[0].event()
        for _ in range(turns):
            for stream, work in zip(streams, works, strict=True):
                work(stream)
        ended = [stream.event() for stream in streams]
        for event in ended:
            event.wait()
        return max(event.seconds_since(begun) for event in ended) / turns


@dataclass(frozen=True)
class GpuGauge:
    """One thing to measure on `active` GPUs of a node at once.

    `amount` is the work of a turn on one GPU, in the unit that the figure divides by seconds; None where the figure is
    the seconds themselves.
    """

    kind: str
    active: int
    unit: str
    amount: float | None
    measure: Callable[[GpuBench, int], float]
    samples: list[float] = field(default_factory=list)

    def take(self, node: MPI.Comm, bench: GpuBench | None, scale: Scale) -> None:
        """Adds the rounds of a pass, in each the slowest GPU's. All ranks of the node call it together."""
        own = bench if node.rank < self.active else None

        def seconds(turns: int) -> float:
            node.Barrier()
            return longest(node, None if own is None else self.measure(own, turns))

        seconds(1)  # so that the device has its clocks up before the first round
        turns = max(1, round(scale.round_s / max(seconds(1), SHORTEST_S)))
        self.samples.extend(seconds(turns) for _ in range(scale.rounds))

    def figure(self) -> dict[str, Any]:
        """The rate of one GPU at the median of all rounds, or the median itself, and every round."""
        median_s = statistics.median(self.samples)
        value = median_s if self.amount is None else self.amount / median_s
        return {"active": self.active, self.unit: value, "spread": spread(self.samples), "samples_s": [*self.samples]}


class NodeGpus:
    """The GPUs of a node, opened by its first ranks, one each; `lacks` says why there are none.

    Every method is called by all ranks of the node together.
    """

    def __init__(self, node: MPI.Comm, now: Now, scale: Scale) -> None:
        self._node, self._scale = node, scale
        self._bench: GpuBench | None = None
        self._count, self.lacks = node.bcast(_counted() if node.rank == ROOT else None, root=ROOT)
        self._gauges: list[GpuGauge] = []
        if self.lacks:
            return
        used = min(self._count, node.size)
        self.lacks = next(filter(None, node.allgather(self._open(now) if node.rank < used else "")), "")
        if self.lacks:
            self.close()
            return
        self._gauges = [gauge for active in counts(used) for gauge in _gauges(active, scale)]

    def take(self) -> None:
        """A pass over all gauges."""
        for gauge in self._gauges:
            gauge.take(self._node, self._bench, self._scale)

    def document(self) -> dict[str, Any]:
        """What the node's entry in a probe has of GPUs (docs/formats.md), whole on its first rank."""
        if self.lacks:
            return {"gpus_left_out": self.lacks}
        facts = self._node.gather(None if self._bench is None else self._bench.facts, root=ROOT) or []
        kinds: dict[str, list[dict[str, Any]]] = {}
        for gauge in self._gauges:
            kinds.setdefault(gauge.kind, []).append(gauge.figure())
        return {"gpus": {"count": self._count, "devices": [each for each in facts if each is not None], **kinds}}

    def close(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench = None

    def _open(self, now: Now) -> str:
        """Why this rank's GPU cannot be used; empty if it can."""
        try:
            self._bench = GpuBench(driver.opened(self._node.rank), now, self._scale)
        except UNUSABLE as error:
            return str(error) or type(error).__name__
        return ""


def _counted() -> tuple[int, str]:
    """How many GPUs the node has, and why none can be used; empty if they can."""
    lacks = driver.missing()
    if lacks is not None:
        return 0, lacks
    try:
        return driver.count(), ""
    except RuntimeError as error:
        return 0, str(error)


def _gauges(active: int, scale: Scale) -> list[GpuGauge]:
    size = float(scale.gpu_bytes)
    return [
        GpuGauge("to_device", active, "bytes_per_s", size, GpuBench.to_device),
        GpuGauge("to_host", active, "bytes_per_s", size, GpuBench.to_host),
        GpuGauge("both", active, "bytes_per_s", 2 * size, GpuBench.both),
        GpuGauge("copy", active, "bytes_per_s", 2 * size, GpuBench.copy),
        GpuGauge("multiply_add", active, "flops_per_s", float(FLOPS * scale.gpu_threads), GpuBench.multiply_add),
        GpuGauge("launch", active, "launch_s", None, GpuBench.launch),
    ]
