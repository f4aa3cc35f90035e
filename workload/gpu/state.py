"""The GPUs of a node by NVIDIA's management library (NVML): what they are, what held them back, who uses them.

Clocks and power limits are read, never set. What a GPU or its driver does not tell is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NS = 1e-9
# What is read of each GPU, by the key of records (docs/formats.md); `nvml` is the library, `gpu` its handle
_READ: dict[str, Callable[[Any, Any], Any]] = {
    "name": lambda nvml, gpu: nvml.nvmlDeviceGetName(gpu),
    "memory_bytes": lambda nvml, gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).total),
    "driver": lambda nvml, _: nvml.nvmlSystemGetDriverVersion(),
    "link_generation": lambda nvml, gpu: nvml.nvmlDeviceGetCurrPcieLinkGeneration(gpu),
    "most_link_generation": lambda nvml, gpu: nvml.nvmlDeviceGetMaxPcieLinkGeneration(gpu),
    "link_width": lambda nvml, gpu: nvml.nvmlDeviceGetCurrPcieLinkWidth(gpu),
    "most_link_width": lambda nvml, gpu: nvml.nvmlDeviceGetMaxPcieLinkWidth(gpu),
    "clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "most_clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "memory_clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM),
    "power_limit_w": lambda nvml, gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,
    "processes": lambda nvml, gpu: len(nvml.nvmlDeviceGetComputeRunningProcesses(gpu)),
    "held_back_by_power_s": lambda nvml, gpu: _held_back_s(nvml, gpu, nvml.NVML_PERF_POLICY_POWER),
    "held_back_by_heat_s": lambda nvml, gpu: _held_back_s(nvml, gpu, nvml.NVML_PERF_POLICY_THERMAL),
}
# What is read before a run, for `fab check`
_READ_BEFORE: dict[str, Callable[[Any, Any], Any]] = {
    **{key: _READ[key] for key in ("name", "memory_bytes", "driver", "processes")},
    "memory_free_bytes": lambda nvml, gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).free),
}
_COUNTERS = ("held_back_by_power_s", "held_back_by_heat_s")  # since the driver was loaded


class GpuWatch:
    """Looks at every GPU of the node now, before a rank uses one, and once more in `entries`.

    `nvml` is NVIDIA's binding; None where it is not installed or finds no driver, and then there are no entries.
    """

    def __init__(self, nvml: Any | None) -> None:
        self._nvml = nvml
        self._begun = _look(nvml) if nvml is not None else {}

    def entries(self, own: Mapping[str, int]) -> list[dict[str, Any]]:
        """The GPUs as they are now, and what happened since; `own` is how many ranks use each, by its UUID.

        `other_processes` is the larger of those that were there before and those beside our ranks now. Processes are
        counted and not named: within a container their numbers are others.
        """
        now = _look(self._nvml) if self._nvml is not None else {}
        return [_entry(uuid, self._begun.get(uuid, {}), found, own.get(uuid, 0)) for uuid, found in now.items()]


def seen(nvml: Any | None) -> list[dict[str, Any]] | None:
    """The GPUs before a run: name, driver, memory and how much of it is free, how many processes compute there.

    `nvml` is as in `GpuWatch`; None where there is nobody to ask.
    """
    return None if nvml is None else list(_look(nvml, _READ_BEFORE).values())


def library() -> Any | None:
    """NVIDIA's binding, begun; None where it is not installed or finds no driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _look(nvml: Any, what: Mapping[str, Callable[[Any, Any], Any]] = _READ) -> dict[str, dict[str, Any]]:
    """What is read of each GPU, by its UUID as the driver gives it: 32 hexadecimal digits."""
    found = {}
    for number in range(_told(nvml, None, lambda nvml, _: nvml.nvmlDeviceGetCount()) or 0):
        try:
            gpu = nvml.nvmlDeviceGetHandleByIndex(number)
            uuid = nvml.nvmlDeviceGetUUID(gpu).removeprefix("GPU-").replace("-", "")
        except nvml.NVMLError:
            continue  # one that this user may not see, or that fell off the bus
        found[uuid] = {key: _told(nvml, gpu, read) for key, read in what.items()}
    return found


def _told(nvml: Any, gpu: Any, read: Callable[[Any, Any], Any]) -> Any:
    try:
        return read(nvml, gpu)
    except nvml.NVMLError:
        return None


def _entry(uuid: str, begun: Mapping[str, Any], now: Mapping[str, Any], own: int) -> dict[str, Any]:
    facts = {key: value for key, value in now.items() if key not in ("processes", *_COUNTERS)}
    processes = [count for count in (begun.get("processes"), _less(now["processes"], own)) if count is not None]
    counters = {key: _less(now[key], begun.get(key)) for key in _COUNTERS}
    return {"uuid": uuid, **facts, "other_processes": max(processes, default=None), **counters}


def _less(now: float | None, begun: float | None) -> float | None:
    return None if now is None or begun is None else max(0, now - begun)


def _held_back_s(nvml: Any, gpu: Any, policy: int) -> float:
    return float(nvml.nvmlDeviceGetViolationStatus(gpu, policy).violationTime) * NS
