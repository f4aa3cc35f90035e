"""The gauges of a GPU: by the clock of a played one, through the driver's calls, and what is given back."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from mpi4py import MPI

from tests.workload.gpu.played import COMPILER, NO_COMPILER, PlayedDevice, PlayedMemory, played_gpus
from workload.gpu import driver
from workload.gpu.missing import COMPILER_MISSING, GPU_MISSING
from workload.probe.gpu import GpuBench, GpuGauge, NodeGpus
from workload.probe.scale import Scale

SMALL = Scale(gpu_bytes=2**14, gpu_threads=2**6, rounds=2, round_s=1e-9, passes=1)
GIGA = 1e9  # bytes per second of each engine of a played GPU
pytestmark = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)


def test_rates_are_those_of_the_device(tmp_path: Path) -> None:
    """Its engines take a nanosecond for a byte, and a kernel one for each byte of its memories."""
    device = PlayedDevice(0, tmp_path)
    bench = GpuBench(device, itertools.count().__next__, SMALL)
    for turns in (1, 7):
        assert SMALL.gpu_bytes / bench.to_device(turns) == pytest.approx(GIGA)
        assert SMALL.gpu_bytes / bench.to_host(turns) == pytest.approx(GIGA)
        assert 2 * SMALL.gpu_bytes / bench.both(turns) == pytest.approx(2 * GIGA)
        assert 2 * SMALL.gpu_bytes / bench.copy(turns) == pytest.approx(GIGA)
        assert bench.multiply_add(turns) == pytest.approx(2 * SMALL.gpu_bytes / GIGA)
        assert bench.launch(turns) == 1 / turns, "the host's clock, which counts its readings"
    assert len(device.pinned) == 2
    assert not device.given_back
    bench.close()
    assert device.given_back


def test_a_figure_is_the_rate_at_the_median_and_has_every_round() -> None:
    rounds = iter([9.0, 1.0, 1.0, 2.0, 4.0])
    gauge = GpuGauge("copy", 1, "bytes_per_s", 8.0, lambda _bench, _turns: next(rounds))
    with_all = Scale(rounds=3, round_s=1.0)
    gauge.take(MPI.COMM_SELF, object(), with_all)  # type: ignore[arg-type]
    assert gauge.figure() == {"active": 1, "bytes_per_s": 4.0, "spread": 0.75, "samples_s": [1.0, 2.0, 4.0]}
    seconds = GpuGauge("launch", 1, "launch_s", None, lambda _bench, _turns: 1.0, gauge.samples)
    assert seconds.figure()["launch_s"] == 2.0


def test_a_node_without_a_gpu_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "missing", lambda: COMPILER_MISSING)
    gpus = NodeGpus(MPI.COMM_SELF, float, SMALL)
    gpus.take()
    assert gpus.document() == {"gpus_left_out": COMPILER_MISSING}
    gpus.close()

    def none() -> int:
        raise RuntimeError(GPU_MISSING)

    monkeypatch.setattr(driver, "missing", lambda: None)
    monkeypatch.setattr(driver, "count", none)
    assert NodeGpus(MPI.COMM_SELF, float, SMALL).document() == {"gpus_left_out": GPU_MISSING}


@pytest.mark.parametrize("allowed", [0, 1])
def test_a_gpu_without_room_is_left_out_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    left = [allowed]

    def memory(device: PlayedDevice, nbytes: int) -> PlayedMemory:
        if not left[0]:
            raise MemoryError(f"the GPU has 0 bytes free of 9, and {nbytes} more are needed")
        left[0] -= 1
        device.memories.append(PlayedMemory(nbytes))
        return device.memories[-1]

    monkeypatch.setattr(PlayedDevice, "memory", memory)
    with played_gpus(1, tmp_path) as opened:
        gpus = NodeGpus(MPI.COMM_SELF, float, SMALL)
        assert gpus.document() == {"gpus_left_out": "the GPU has 0 bytes free of 9, and 16384 more are needed"}
        gpus.close()
        assert [each.given_back for each in opened] == [True]


def test_what_fails_without_a_word_is_named_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pin(_device: PlayedDevice, _array: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PlayedDevice, "pin", pin)
    with played_gpus(1, tmp_path):
        assert NodeGpus(MPI.COMM_SELF, float, SMALL).document() == {"gpus_left_out": "MemoryError"}
