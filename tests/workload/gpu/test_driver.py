"""Each call of NVIDIA's driver, made of a small library in its place (played_driver.c)."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.workload.convolve.reference import Case, eq1, rounding_bound
from tests.workload.gpu.played import COMPILER, NO_COMPILER, library_of, played_code
from workload.convolve import cuda, cuda_kernel
from workload.gpu import driver, missing
from workload.probe import gpu_kernels
from workload.probe.gpu import GpuBench
from workload.probe.scale import Scale

pytestmark = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)


class PlayedDriver:
    """The library, as the driver loads it and as the test sets it up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = library_of((Path(__file__).parent / "played_driver.c").read_text(), folder)
        self.path = self.library._name

    def number(self, name: str, kind: type = ctypes.c_int):
        return kind.in_dll(self.library, name)

    def runs(self, source: str, name: str = cuda_kernel.NAME) -> None:
        play = ctypes.cast(played_code(source, self.folder, name), ctypes.c_void_p)
        self.number(f"played_{name}", ctypes.c_void_p).value = play.value


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> PlayedDriver:
    return PlayedDriver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def played(library: PlayedDriver, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedDriver]:
    """As the rank finds it; at the end nothing is left on it."""
    opened, count = driver.opened, driver.count
    monkeypatch.setattr(driver, "opened", lambda local_rank: opened(local_rank, library.path))
    monkeypatch.setattr(driver, "count", lambda: count(library.path))
    monkeypatch.setattr(driver, "compile_for", lambda *_: (b"\x7fELF of no processor", ""))
    cuda.use_gpu_of(0)
    library.number("played_open").value = 0
    yield library
    library.number("played_gpus").value = 2
    library.number("played_room", ctypes.c_longlong).value = 1 << 30
    cuda.use_gpu_of(0)
    gc.collect()
    assert library.number("played_open").value == 0


@pytest.mark.parametrize("w_shape", [(3, 3, 3, 3), (10, 3, 1, 1), (1, 3, 4, 5)])
def test_a_convolution_through_the_drivers_calls(played: PlayedDriver, w_shape: tuple[int, int, int, int]) -> None:
    x, w = Case((3, 3, 12, 50), w_shape).operands()
    played.runs(cuda_kernel.source(cuda_kernel.choose(x.shape, w.shape), x.shape, w.shape))
    y = np.full((3, w.shape[0], 13 - w.shape[2], 51 - w.shape[3]), np.nan, np.float32)
    cuda.convolve(x, w, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()


@pytest.mark.usefixtures("played")
def test_ranks_take_the_gpus_in_turn_and_say_which() -> None:
    names = [driver.opened(local_rank).facts()["name"] for local_rank in range(3)]
    assert names == ["first", "second", "first"]
    assert driver.opened(1).facts() == {
        "name": "second",
        "uuid": "02" * 16,
        "compute_capability": 8.9,
        "memory_bytes": 24 * 2**30,
        "driver_cuda": "12.2",
    }


@pytest.mark.usefixtures("played")
def test_events_give_seconds_of_the_device() -> None:
    device = driver.opened(0)
    stream, memory, array = device.stream(), device.memory(4000), np.ones(1000, np.float32)
    before = stream.event()
    stream.copy_in(memory, array)
    after = stream.event()
    after.wait()
    assert after.seconds_since(before) == pytest.approx(4e-6, rel=1e-3)
    stream.fill_with_nan(memory)
    stream.copy_out(array, memory)
    stream.wait()
    assert np.isnan(array).all()
    memory.free()


def test_locked_pages_are_given_back(played: PlayedDriver) -> None:
    device = driver.opened(0)
    begun = played.number("played_open").value
    device.pin(np.zeros(5, np.float32))
    device.pin(np.zeros(7, np.float32))
    assert played.number("played_open").value == begun + 2
    device.close()
    assert played.number("played_open").value == begun


def test_a_probes_gauges_through_the_drivers_calls(played: PlayedDriver) -> None:
    """A byte takes a nanosecond, one direction comes after the other, and a launch takes half a millisecond."""
    for name in (gpu_kernels.COPY, gpu_kernels.MULTIPLY_ADD):
        played.runs(gpu_kernels.source(name), name)
    assert driver.count() == 2
    bench = GpuBench(driver.opened(0), time.monotonic, Scale(gpu_bytes=2**20, gpu_threads=2**6))
    sent_s = bench.to_device(3)
    assert sent_s == pytest.approx(2**20 * 1e-9, rel=1e-3)
    assert bench.to_host(3) == pytest.approx(sent_s, rel=1e-3)
    assert bench.both(3) == pytest.approx(2 * sent_s, rel=1e-3)
    assert bench.copy(3) == pytest.approx(5e-4, rel=1e-3)
    assert bench.multiply_add(3) == pytest.approx(5e-4, rel=1e-3)
    assert bench.launch(3) > 0.0
    bench.close()


@pytest.mark.usefixtures("played")
def test_an_array_that_does_not_fit_its_memory_is_not_copied() -> None:
    device = driver.opened(0)
    stream, memory = device.stream(), device.memory(8)
    for array in (np.zeros(3, np.float32), np.zeros((2, 2), np.float32)[:, 0]):
        with pytest.raises(ValueError, match=r"in pieces or larger than 8 on the GPU"):
            stream.copy_in(memory, array)
    memory.free()


def test_a_gpu_without_room_says_how_much_it_has(played: PlayedDriver) -> None:
    played.number("played_room", ctypes.c_longlong).value = 1000
    with pytest.raises(MemoryError, match=r"has 1000 bytes free of \d+, and 1001 more .*chunk_bytes"):
        driver.opened(0).memory(1001)


def test_what_the_driver_refuses_is_named(played: PlayedDriver) -> None:
    with pytest.raises(driver.CudaFailedError, match="cuMemHostRegister_v2: CUDA_ERROR_INVALID_VALUE"):
        driver.opened(0).pin(np.zeros(0, np.float32))
    played.library.cuMemHostUnregister(ctypes.c_void_p(1))


def test_a_driver_without_a_gpu(played: PlayedDriver) -> None:
    played.number("played_gpus").value = 0
    for asked in (lambda: driver.opened(0), driver.count):
        with pytest.raises(RuntimeError) as caught:
            asked()
        assert str(caught.value) == missing.GPU_MISSING


def test_a_machine_without_the_driver() -> None:
    with pytest.raises(RuntimeError) as caught:
        driver.opened(0, "libnothing.so.1")
    assert str(caught.value) == missing.DRIVER_MISSING
