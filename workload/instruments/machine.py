"""Describes a node: hardware, software, and how busy it was. `python -m workload.instruments.machine` prints it."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from workload.instruments import cgroup

CACHE_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def describe(mpi: str) -> dict[str, Any]:
    """An entry of a record's `machines`, without what a run adds; `mpi` is the MPI library's version line."""
    memory_bytes, limit_bytes = psutil.virtual_memory().total, cgroup.memory_limit_bytes()
    return {
        "node": socket.gethostname(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "cpu_model": cpu_model(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "threads": psutil.cpu_count() or 1,
        "caches": caches(),
        "memory_bytes": memory_bytes,
        "cgroup_memory_bytes": limit_bytes if limit_bytes is not None and limit_bytes < memory_bytes else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mpi": mpi,
        "blas": blas(),
        "simd": simd(),
        "load_1m": os.getloadavg()[0],
        "steal_s": steal_s(),
    }


def steal_s() -> float:
    """Seconds since boot, over all cores, in which the host ran another guest instead of this one."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def cpu_model() -> str:
    """The processor's name, which psutil does not report."""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def core_of(cpu: int) -> int:
    """The physical core of a hardware thread; the thread's own number if the kernel does not say."""
    text = _read(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_id")
    return int(text) if text.lstrip("-").isdigit() else cpu


def caches(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> list[dict[str, int]]:
    """Bytes of each data cache of the first processor, and how many hardware threads share it; smallest first.

    Empty if the kernel does not say.
    """
    found = []
    for index in folder.glob("index*"):
        size, shared = _read(str(index / "size")), _read(str(index / "shared_cpu_list"))
        if _read(str(index / "type")) != "Instruction" and size[:-1].isdigit() and size[-1:] in CACHE_UNITS:
            found.append({"bytes": int(size[:-1]) * CACHE_UNITS[size[-1]], "threads": _count(shared)})
    return sorted(found, key=lambda cache: cache["bytes"])


def _count(text: str) -> int:
    """How many numbers a kernel list such as 0-3,8 has; 1 if it is malformed."""
    spans = [part.split("-") for part in text.split(",")]
    if not all(number.isdigit() for span in spans for number in span):
        return 1
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans)


def blas() -> str:
    """Name and version of the linear algebra library numpy was built with."""
    config: dict[str, Any] = np.show_config(mode="dicts") or {}  # type: ignore[assignment]
    library = config.get("Build Dependencies", {}).get("blas", {})
    return f"{library.get('name', 'unknown')} {library.get('version', '')}".strip()


def simd() -> str:
    """The instruction set that backend `simd` makes code for here, or "none: " and the reason."""
    try:
        from workload.convolve.codegen import host
        from workload.convolve.simd import level_of, unavailable
    except ImportError as error:
        return f"none: llvmlite is not usable here ({error})"
    target = host()
    level = level_of(target)
    return level.name if level is not None else f"none: {unavailable(target)}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def mpi_version() -> str:
    """The MPI library's version line, without starting MPI."""
    import mpi4py

    mpi4py.rc.initialize = False
    from mpi4py import MPI

    return MPI.Get_library_version().split(",")[0].strip("\x00 \n")


if __name__ == "__main__":
    json.dump(describe(mpi_version()), sys.stdout)
