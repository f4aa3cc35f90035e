"""What NVIDIA's management library says of a node's GPUs, by one in its place."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tests.workload.gpu.management import NVMLError, management
from workload.gpu.state import GpuWatch, library, seen

FIRST, SECOND = f"{0:032x}", f"{1:032x}"


def nothing() -> dict[tuple[int, int], int]:
    return dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0)


def test_a_gpu_is_described_with_what_held_it_back_meanwhile() -> None:
    processes, held_back = [0, 0], {**nothing(), (0, 0): 7_000_000_000}
    watch = GpuWatch(management(processes, held_back))
    processes[0], held_back[0, 0], held_back[0, 1] = 1, 9_500_000_000, 250_000_000
    first, second = watch.entries({FIRST: 1})
    assert first == {
        "uuid": FIRST,
        "name": "NVIDIA L4",
        "memory_bytes": 24 * 2**30,
        "driver": "550.90.07",
        "link_generation": 3,
        "most_link_generation": 4,
        "link_width": 8,
        "most_link_width": 16,
        "clock_mhz": 1500,
        "most_clock_mhz": 2040,
        "memory_clock_mhz": 6250,
        "power_limit_w": 72.0,
        "other_processes": 0,
        "held_back_by_power_s": pytest.approx(2.5),
        "held_back_by_heat_s": pytest.approx(0.25),
    }
    assert second["uuid"] == SECOND
    assert second["held_back_by_power_s"] == second["held_back_by_heat_s"] == 0.0


@pytest.mark.parametrize(
    ("before", "after", "own", "others"), [(0, 1, 1, 0), (0, 2, 1, 1), (2, 1, 1, 2), (1, 3, 1, 2), (0, 0, 1, 0)]
)
def test_who_else_computes_is_counted_before_and_after(before: int, after: int, own: int, others: int) -> None:
    processes = [before, 0]
    watch = GpuWatch(management(processes, nothing()))
    processes[0] = after
    assert watch.entries({FIRST: own})[0]["other_processes"] == others


def test_what_a_gpu_does_not_tell_is_none_and_another_is_described_all_the_same() -> None:
    untold = ("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetViolationStatus", "nvmlDeviceGetComputeRunningProcesses")
    first, second = GpuWatch(management([1, 1], nothing(), untold)).entries({})
    assert first["power_limit_w"] == 72.0
    assert [second[key] for key in ("power_limit_w", "other_processes", "held_back_by_heat_s")] == [None] * 3
    assert second["link_width"] == 8
    (only,) = GpuWatch(management([0, 0], nothing(), ("nvmlDeviceGetUUID",))).entries({})
    assert only["uuid"] == FIRST


def test_before_a_run_it_is_said_what_is_free_and_who_computes() -> None:
    first, second = seen(management([0, 2], nothing(), ("nvmlDeviceGetMemoryInfo",), free_bytes=2**30)) or []
    expected = {"name": "NVIDIA L4", "memory_bytes": 24 * 2**30, "driver": "550.90.07", "processes": 0}
    assert first == expected | {"memory_free_bytes": 2**30}
    assert second == expected | {"memory_bytes": None, "memory_free_bytes": None, "processes": 2}


def test_without_the_library_there_is_nothing() -> None:
    assert GpuWatch(None).entries({FIRST: 1}) == []
    assert seen(None) is None


def test_a_binding_that_finds_no_driver_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise NVMLError("NVML Shared Library Not Found")

    binding = ModuleType("pynvml")
    binding.NVMLError, binding.nvmlInit = NVMLError, fails  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", binding)
    assert library() is None
    binding.nvmlInit = lambda: None  # type: ignore[attr-defined]
    assert library() is binding
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert library() is None
