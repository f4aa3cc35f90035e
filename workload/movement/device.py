"""Movement `device`: each rank makes its own block of x, and its GPU convolves it; y comes back to the host.

All work is handed to the GPU at once; the phases are when this rank saw it done: all of x there, all of it convolved,
all of y back. With the option `chunk_bytes` the block goes in pieces, through LANES streams in turn, so that pieces
go in, are convolved and come back at the same time. Then the first phase hides most of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mpi4py import MPI

from workload.convolve import cuda
from workload.domain.chunks import piece
from workload.domain.grid import Block, block_of, finisher
from workload.gpu.device import Device, DeviceStream, Event, Memory
from workload.instruments.clock import Clock
from workload.movement.descriptions.device import steps_of
from workload.movement.movement import ROOT, Float32, Sink, Task, fill_with_nan, index, touched
from workload.movement.partial_sums import PartialSums
from workload.record.schema import DEVICE_PARTS

LANES = 3  # one piece goes in, one is convolved, one comes back


class Lane:
    """A stream with room for one piece of x and of y."""

    def __init__(self, device: Device, largest: Block) -> None:
        self.stream: DeviceStream = device.stream()
        self.x, self.y = device.memory(largest.x_bytes), device.memory(largest.y_bytes)

    def work(self, code: cuda.CudaConvolution, x: Float32, w: Memory, y: Float32) -> list[Event]:
        """Hands over one piece; returns the moments before, between and after its three parts."""
        events = [self.stream.event()]
        self.stream.copy_in(self.x, x)
        events.append(self.stream.event())
        code.launch(self.stream, self.x, w, self.y, y.shape)
        events.append(self.stream.event())
        self.stream.copy_out(y, self.y)
        events.append(self.stream.event())
        return events


class OnDevice:
    """Works with every grid; partial sums are added on the host. Raises ValueError unless `chunk_bytes` is a size."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._block = block_of(task.problem, task.grid, task.comm.rank)
        self._steps = steps_of(self._block, task.options)
        self._device = cuda.device()

    def finished_blocks(self) -> list[Block]:
        rank = self._task.comm.rank
        return [self._block] if finisher(self._task.grid, rank) == rank else []

    def prepare(self) -> None:
        block, device = self._block, self._device
        self._sums = PartialSums(self._task.comm, self._task.grid)
        self._w, self._w_block = self._task.weights.copy(), touched(block.w_shape)
        self._x, self._y = touched(block.x_shape), touched(block.y_shape)
        device.pin(self._x)
        device.pin(self._y)
        self._code = cuda.convolution(block.x_shape, block.w_shape)
        self._packed = self._code.packed(self._w_block)
        self._w_there = device.memory(self._packed.nbytes)
        largest = piece(block, self._steps, 0)
        self._lanes = [Lane(device, largest) for _ in range(min(LANES, self._steps))]

    def poison(self) -> None:
        arrays = [self._x, self._y, self._w_block, self._packed]
        for array in [*arrays, *([] if self._task.comm.rank == ROOT else [self._w])]:
            fill_with_nan(array)
        stream = self._lanes[0].stream
        for memory in self._memories():
            stream.fill_with_nan(memory)
        stream.wait()

    def repeat(self, clock: Clock) -> None:
        with clock.phase("load"):
            self._task.source(self._block, self._x)
        clock.forward_begins()
        with clock.phase("distribute"):
            self._get_weights(clock)
            origin = self._send_weights()
            steps = [self._work(step) for step in range(self._steps)]
            self._wait(steps, 1)
        with clock.phase("convolve"):
            self._wait(steps, 2)
        with clock.phase("collect"):
            self._wait(steps, 3)
            self._sums.complete(clock, self._y)
        clock.forward_ends()
        clock.times.device_s = device_seconds(origin, steps)
        if self._sums.finishes and self._sink is not None:
            with clock.phase("save"):
                self._sink(self._block, self._y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if self._sums.finishes:
            yield self._block, self._y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def device_facts(self) -> dict[str, Any]:
        return self._device.facts()

    def close(self) -> None:
        for memory in self._memories():
            memory.free()
        self._device.close()
        self._sums.close()

    def _memories(self) -> list[Memory]:
        return [self._w_there, *(memory for lane in self._lanes for memory in (lane.x, lane.y))]

    def _get_weights(self, clock: Clock) -> None:
        comm = self._task.comm
        receivers = comm.size - 1 if comm.rank == ROOT else 1
        clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
        self._w_block[...] = self._w[index(self._block.w_spans)]

    def _send_weights(self) -> Event:
        """Every lane needs them, so the host waits; returns a moment before the first piece."""
        stream = self._lanes[0].stream
        self._packed[...] = self._code.packed(self._w_block)
        stream.copy_in(self._w_there, self._packed)
        event = stream.event()
        event.wait()
        return event

    def _work(self, step: int) -> list[Event]:
        part, first = piece(self._block, self._steps, step).batch, self._block.batch.start
        images = slice(part.start - first, part.stop - first)
        lane = self._lanes[step % len(self._lanes)]
        return lane.work(self._code, self._x[images], self._w_there, self._y[images])

    def _wait(self, steps: list[list[Event]], moment: int) -> None:
        """Until every lane has come to that moment of its last piece."""
        for events in steps[-len(self._lanes) :]:
            events[moment].wait()


def device_seconds(origin: Event, steps: list[list[Event]]) -> dict[str, float]:
    """By the device's clock, how long at least one piece was in each part, and from the first to the last of all.

    A piece that waits for the link behind another one counts as being in that part.
    """
    *parts, total = DEVICE_PARTS
    moments = [[event.seconds_since(origin) for event in events] for events in steps]
    found = {part: covered((each[place], each[place + 1]) for each in moments) for place, part in enumerate(parts)}
    return {**found, total: max(each[-1] for each in moments) - min(each[0] for each in moments)}


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length that the spans cover together; where they overlap it counts once."""
    length, reached = 0.0, float("-inf")
    for start, stop in sorted(spans):
        length += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return length
