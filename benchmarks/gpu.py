"""How fast the backend `cuda` is on this machine's GPU, side by side with what bounds it and with cuDNN.

    python -m benchmarks.gpu [--cases NAMES] [--rounds N] [--out DIR]

With the data on the GPU: the kernel, a copy of the same bytes, and torch's cuDNN where torch is installed (extra
`bench`). From host to host: the movement `device`, in one piece and by chunks, and what the link allows at the most.
Contenders take turns in every round, so that ratios are of the same moment. Writes gpu.json and gpu.md. Without a GPU
it says why, and measures nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path as well as by its name

from benchmarks.common import aims, cudnn, machine
from benchmarks.common.aims import Aim
from benchmarks.common.cudnn import TorchContender
from benchmarks.convolution import RESULTS, Case, Data, chosen, make_data, reference
from results.estimates import time_estimate
from results.records.gpus import GpuLimits
from workload.convolve import cuda
from workload.domain.grid import Block, Grid
from workload.domain.problem import Problem
from workload.gpu import driver
from workload.gpu.device import Device, DeviceStream, Memory
from workload.instruments.clock import Clock
from workload.movement.device import OnDevice
from workload.movement.movement import Task
from workload.probe import gpu_kernels
from workload.probe.gpu import GpuBench
from workload.probe.scale import Scale
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

CASES = (
    Case("paper-3x3", (40, 3, 1024, 1024), (3, 3, 3, 3)),
    Case("deep-64x64", (8, 64, 256, 256), (64, 64, 3, 3)),
    Case("mid-16x16", (32, 16, 256, 256), (16, 16, 3, 3)),
)
CHUNK_BYTES = 2**24  # an image of paper-3x3: enough pieces that little of the first and the last shows
SCALE = Scale()  # of what the link is measured with
SAMPLE_S = 0.005  # of a round, for each contender
COMPILE_S = 3.0  # that the first run of a new shape may take to compile
CUDA, COPY = "cuda", "copy of the same bytes"
CHUNKED, WHOLE, LINK = "by chunks", "in one piece", "the link's limit"
Seconds = Callable[[int], float]
Samples = Mapping[str, Sequence[float]]


class Resident:
    """A case with x and y on the GPU, until `close`: its kernel, and a copy that moves as many bytes."""

    def __init__(self, device: Device, case: Case, data: Data) -> None:
        self._case = case
        self._stream: DeviceStream = device.stream()
        with ExitStack() as held:

            def room(nbytes: int) -> Memory:
                memory = device.memory(nbytes)
                held.callback(memory.free)
                return memory

            begun = time.perf_counter()
            self._code = cuda.CudaConvolution(device, case.x_shape, case.w_shape)
            self.compile_s = time.perf_counter() - begun
            packed = self._code.packed(data.w)
            self._x, self._w, self._y = room(data.x.nbytes), room(packed.nbytes), room(data.y.nbytes)
            self._stream.copy_in(self._x, data.x)
            self._stream.copy_in(self._w, packed)
            self._stream.wait()
            self._quads = case.moved_bytes // 2 // gpu_kernels.QUAD_BYTES
            self._from, self._to = (room(self._quads * gpu_kernels.QUAD_BYTES) for _ in range(2))
            self._copy = device.compile(gpu_kernels.source(gpu_kernels.COPY), gpu_kernels.COPY)
            self._held = held.pop_all()

    def close(self) -> None:
        self._held.close()

    def convolve(self, turns: int) -> float:
        launch = (self._stream, self._x, self._w, self._y, self._case.y_shape)
        return self._taken(turns, lambda: self._code.launch(*launch))

    def copy(self, turns: int) -> float:
        launched = gpu_kernels.launched(gpu_kernels.COPY, self._quads)
        return self._taken(
            turns, lambda: self._stream.launch(self._copy, *launched, (self._from, self._to), self._quads)
        )

    def answer(self, y: NDArray[np.float32]) -> None:
        """Fills y."""
        self.convolve(1)
        self._stream.copy_out(y, self._y)
        self._stream.wait()

    def _taken(self, turns: int, work: Callable[[], None]) -> float:
        begun = self._stream.event()
        for _ in range(turns):
            work()
        ended = self._stream.event()
        ended.wait()
        return ended.seconds_since(begun) / turns


class HostToHost:
    """The movement `device` on this one rank, from x on the host to y there, until `close`."""

    def __init__(self, case: Case, data: Data, options: Mapping[str, int | str | bool]) -> None:
        self._data, self._begun = data, False
        batch, channels, height, width = case.x_shape
        problem = Problem(batch, channels, case.w_shape[0], height, width, case.w_shape[2])
        task = Task(MPI.COMM_SELF, problem, Grid(), cuda.convolve, self._load, None, data.w, options)
        self._movement = OnDevice(task)
        self._movement.prepare()

    def close(self) -> None:
        self._movement.close()

    def forward(self) -> float:
        """Seconds of the host."""
        clock = Clock(MPI.COMM_SELF, time.perf_counter, time.process_time)
        clock.start()
        self._movement.repeat(clock)
        clock.stop()
        if clock.times.forward_s is None:
            raise RuntimeError("the movement has no forward section")
        return clock.times.forward_s

    def images(self) -> NDArray[np.float32]:
        """y of the last repeat."""
        ((_, y),) = self._movement.outputs()
        return y

    def _load(self, _: Block, x: NDArray[np.float32]) -> None:
        if not self._begun:  # the movement leaves x as it is
            x[...] = self._data.x
            self._begun = True


def resident(case: Case, data: Data, rounds: int) -> dict[str, Any]:
    """The contenders of a case with the data on the GPU."""
    held = Resident(driver.opened(0), case, data)
    held.answer(data.y)
    expected = reference(data.x[:1], data.w)[0]
    errors = {CUDA: float(np.abs(data.y[0] - expected).max())}
    found: dict[str, Seconds] = {CUDA: held.convolve, COPY: held.copy}
    rivals, lacks = _rivals(data)
    found |= {name: each.seconds for name, each in rivals.items()}
    errors |= {name: float(np.abs(each.image - expected).max()) for name, each in rivals.items()}
    samples = in_turn(found, rounds)
    held.close()
    told = {name: {"algorithm": each.family, "kernels": list(each.kernels)} for name, each in rivals.items()}
    return {
        "case": case.name, "samples_s": samples, "errors": errors, "compile_s": held.compile_s, "algorithms": told,
        "left_out": lacks,
    }  # fmt: skip


def _rivals(data: Data) -> tuple[dict[str, TorchContender], str]:
    """torch's contenders, and why there are none."""
    try:
        return dict(cudnn.contenders(data.x, data.w)), ""
    except RuntimeError as error:
        return {}, str(error)


def in_turn(contenders: Mapping[str, Seconds], rounds: int) -> dict[str, list[float]]:
    """The seconds of each contender in every round, in each as often as fills SAMPLE_S."""
    turns = {}
    for name, seconds in contenders.items():
        seconds(1)
        turns[name] = max(1, round(SAMPLE_S / max(seconds(1), 1e-6)))
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, seconds in contenders.items():
            samples[name].append(seconds(turns[name]))
    return samples


def host_to_host(case: Case, data: Data, rounds: int) -> dict[str, Any]:
    """Forward times by chunks and in one piece, and what the link allows, measured in every round."""
    ways = {CHUNKED: {"chunk_bytes": CHUNK_BYTES}, WHOLE: {}}
    samples: dict[str, list[float]] = {name: [] for name in (*ways, LINK)}
    errors = {}
    expected = reference(data.x[:1], data.w)[0]
    link = GpuBench(driver.opened(0), time.perf_counter, SCALE)
    held = {name: HostToHost(case, data, options) for name, options in ways.items()}
    for name, way in held.items():
        way.forward()
        errors[name] = float(np.abs(way.images()[0] - expected).max())
    for _ in range(rounds):
        for name, way in held.items():
            samples[name].append(way.forward())
        samples[LINK].append(_limits(link).at_once_s(data.x.nbytes, data.y.nbytes))
    for way in held.values():
        way.close()
    link.close()
    return {"case": case.name, "samples_s": samples, "errors": errors, "chunk_bytes": CHUNK_BYTES}


def _limits(bench: GpuBench) -> GpuLimits:
    size = float(SCALE.gpu_bytes)
    return GpuLimits(
        active=1,
        to_device_bytes_per_s=size / bench.to_device(1),
        to_host_bytes_per_s=size / bench.to_host(1),
        both_bytes_per_s=2 * size / bench.both(1),
        copy_bytes_per_s=2 * size / bench.copy(1),
        flops_per_s=gpu_kernels.FLOPS * SCALE.gpu_threads / bench.multiply_add(1),
        launch_s=bench.launch(1),
    )


def aims_of(on_gpu: Sequence[Mapping[str, Any]], from_host: Sequence[Mapping[str, Any]]) -> list[Aim]:
    """What the issue of the backend wanted, of the cases that were measured."""
    found = []
    for entry in on_gpu:
        samples: Samples = entry["samples_s"]
        if entry["case"] == "paper-3x3":
            ratio = aims.paired(samples[CUDA], samples[COPY])
            found += [Aim("paper-3x3: time over that of the copy", 1.5, at_most=True, ratio=ratio), _over_cudnn(entry)]
        else:
            found.append(_beside_direct(entry))
    for entry in from_host:
        samples = entry["samples_s"]
        ratio = aims.paired(samples[LINK], samples[CHUNKED])
        found.append(Aim(f"{entry['case']}: share of the link by chunks", 0.9, at_most=False, ratio=ratio))
    if on_gpu:
        longest = time_estimate([max(entry["compile_s"] for entry in on_gpu) / COMPILE_S])
        found.append(Aim(f"compile time of a new shape over {COMPILE_S:g} s", 1.0, at_most=True, ratio=longest))
    return found


def _over_cudnn(entry: Mapping[str, Any]) -> Aim:
    """Against the fastest that torch's cuDNN does, whatever the algorithm."""
    return _against(
        entry, "rate over that of cuDNN's fastest", 6.0, [name for name in entry["algorithms"] if "cudnn" in name]
    )


def _beside_direct(entry: Mapping[str, Any]) -> Aim:
    rivals = [name for name, told in entry["algorithms"].items() if told["algorithm"] in cudnn.RIVALS]
    return _against(entry, f"rate over that of cuDNN's fastest by {' or '.join(cudnn.RIVALS)}", 0.9, rivals)


def _against(entry: Mapping[str, Any], what: str, bound: float, rivals: Sequence[str]) -> Aim:
    name, samples = f"{entry['case']}: {what}", entry["samples_s"]
    if not rivals:
        return Aim(name, bound, at_most=False, lacks=entry["left_out"] or "no kernel of cuDNN was named so")
    fastest = min(rivals, key=lambda rival: statistics.median(samples[rival]))
    return Aim(f"{name} ({fastest})", bound, at_most=False, ratio=aims.paired(samples[fastest], samples[CUDA]))


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: milliseconds of each contender, and how many times the kernel, or the chunked run, that is."""
    lines = ["| case | contender | median ms | x ours | algorithm | error |", "|---|---|--:|--:|---|--:|"]
    for entry in entries:
        samples: Samples = entry["samples_s"]
        ours = samples[CUDA] if CUDA in samples else samples[CHUNKED]
        for name, seconds in samples.items():
            ratio = aims.paired(seconds, ours).value
            told = entry.get("algorithms", {}).get(name, {}).get("algorithm", "")
            error = f"{entry['errors'][name]:.1e}" if name in entry["errors"] else ""
            median_ms = 1e3 * statistics.median(seconds)
            lines.append(f"| {entry['case']} | {name} | {median_ms:.3f} | {ratio:.2f} | {told} | {error} |")
        if entry.get("left_out"):
            lines.append(f"| {entry['case']} | cuDNN left out: {entry['left_out']} | | | | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", help=f"comma-separated: {', '.join(case.name for case in CASES)}")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: give at least 1")
    names = chosen(options.cases, [case.name for case in CASES], "cases")
    lacks = driver.missing()
    if lacks is not None:
        print(f"gpu: skipped: {lacks}")
        return
    facts = driver.opened(0).facts()
    about = {**machine.describe(), "gpu": facts}
    on_gpu, from_host = [], []
    for case in (case for case in CASES if case.name in names):
        data = make_data(case)
        on_gpu.append(resident(case, data, options.rounds))
        if case is CASES[0]:
            from_host.append(host_to_host(case, data, options.rounds))
    reached = aims_of(on_gpu, from_host)
    text = f"{facts['name']}, CUDA {facts['driver_cuda']}, {about['date']}\n\n"
    text += f"{table([*on_gpu, *from_host])}\n{aims.table(reached)}"
    print(text, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.md").write_text(text)
    document = {
        "schema_version": SCHEMA_VERSION, "machine": about, "resident": on_gpu, "host_to_host": from_host,
        "aims": [aim.as_dict() for aim in reached],
    }  # fmt: skip
    write_json(options.out / "gpu.json", document)


if __name__ == "__main__":
    main()
