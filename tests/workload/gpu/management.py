"""NVIDIA's management library as far as workload/gpu/state.py asks it, with two GPUs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """As the binding raises it, for what a GPU does not support too."""


def management(
    processes: list[int],
    held_back_ns: dict[tuple[int, int], int],
    untold: tuple[str, ...] = (),
    free_bytes: int = 23 * 2**30,
) -> Any:
    """Two GPUs, 0 and 1, which are their handles; the second does not tell what `untold` names."""
    answers = {
        "nvmlDeviceGetUUID": lambda gpu: f"GPU-00000000-0000-0000-0000-{gpu:012x}",
        "nvmlDeviceGetName": lambda _: "NVIDIA L4",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=24 * 2**30, free=free_bytes),
        "nvmlDeviceGetCurrPcieLinkGeneration": lambda _: 3,
        "nvmlDeviceGetMaxPcieLinkGeneration": lambda _: 4,
        "nvmlDeviceGetCurrPcieLinkWidth": lambda _: 8,
        "nvmlDeviceGetMaxPcieLinkWidth": lambda _: 16,
        "nvmlDeviceGetClockInfo": lambda _, kind: {1: 1500, 2: 6250}[kind],
        "nvmlDeviceGetMaxClockInfo": lambda _, kind: {1: 2040}[kind],
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 72_000,
        "nvmlDeviceGetComputeRunningProcesses": lambda gpu: [object()] * processes[gpu],
        "nvmlDeviceGetViolationStatus": lambda gpu, kind: SimpleNamespace(violationTime=held_back_ns[gpu, kind]),
    }

    def made(name: str) -> Any:
        def call(gpu: int, *arguments: Any) -> Any:
            if gpu == 1 and name in untold:
                raise NVMLError(name)
            return answers[name](gpu, *arguments)

        return call

    library_ = {name: made(name) for name in answers}
    library_ |= {"NVMLError": NVMLError, "NVML_CLOCK_SM": 1, "NVML_CLOCK_MEM": 2}
    library_ |= {"NVML_PERF_POLICY_POWER": 0, "NVML_PERF_POLICY_THERMAL": 1}
    library_ |= {"nvmlDeviceGetCount": lambda: 2, "nvmlDeviceGetHandleByIndex": lambda number: number}
    library_ |= {"nvmlSystemGetDriverVersion": lambda: "550.90.07"}
    return SimpleNamespace(**library_)
