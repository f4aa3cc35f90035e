"""Describes a node: hardware, software, and how busy it was. `python -m workload.instruments.machine` prints it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from workload.gpu import driver, state
from workload.instruments import cgroup, processors, single_copy

CACHE_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
# by the name that the kernel keeps of a process, which is 15 characters long at most
PACKAGE_MANAGERS = frozenset(
    {"apt", "apt-get", "apt.systemd.dai", "aptitude", "dnf", "dpkg", "rpm", "unattended-upgr", "yum", "zypper"}
)
WAITS_FOR_SHUTDOWN = "unattended-upgrade-shutdown"  # always there, and idle


def describe(mpi: str) -> dict[str, Any]:
    """An entry of a record's `machines`, without what a run adds; `mpi` is the MPI library's version line."""
    memory_bytes, limit_bytes = psutil.virtual_memory().total, cgroup.memory_limit_bytes()
    return {
        "node": socket.gethostname(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "cpu_model": cpu_model(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "threads": psutil.cpu_count() or 1,
        "usable": processors.usable().as_dict(),
        "caches": caches(),
        "memory_bytes": memory_bytes,
        "cgroup_memory_bytes": limit_bytes if limit_bytes is not None and limit_bytes < memory_bytes else None,
        "shared_memory_free_bytes": shared_memory_free_bytes(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mpi": mpi,
        "blas": blas(),
        "simd": simd(),
        "load_1m": os.getloadavg()[0],
        "steal_s": steal_s(),
        "package_managers": package_managers(),
        "network": network(),
    }


def describe_idle() -> dict[str, Any]:
    """As `describe`, outside of MPI: also whether one process may read another's memory, as single copies do.

    And whether code for a GPU finds what it needs: "found", or "none: " and what is missing. `idle_gpus`: the GPUs that
    the driver shows, None where it cannot be asked.
    """
    lacks = driver.missing()
    cuda = "found" if lacks is None else f"none: {lacks}"
    gpus = state.seen(state.library())
    return {**describe(mpi_version()), "single_copy": single_copy.works(), "cuda": cuda, "idle_gpus": gpus}


def shared_memory_free_bytes() -> int | None:
    """Bytes free for shared windows and the launcher's segments; None if there is no such folder."""
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108  where they lie
    except OSError:
        return None


def package_managers(processes: Path = Path("/proc")) -> list[str]:
    """The names of package managers that run on this node, sorted: they take cores and disks from a measurement."""
    found = set()
    for folder in processes.iterdir():
        name = _read(str(folder / "comm")) if folder.name.isdigit() else ""
        if name in PACKAGE_MANAGERS and WAITS_FOR_SHUTDOWN not in _read(str(folder / "cmdline")):
            found.add(name)
    return sorted(found)


def network(interfaces: Path = Path("/sys/class/net")) -> list[dict[str, Any]]:
    """Every interface that has a device behind it: name, driver, MTU in bytes, queues that receive and send."""
    found = []
    for interface in sorted(interfaces.glob("*")):
        device, mtu = interface / "device", _read(str(interface / "mtu"))
        if device.exists() and mtu.isdigit():
            queues = [len(list((interface / "queues").glob(f"{way}-*"))) for way in ("rx", "tx")]
            driver = (device / "driver").resolve().name if (device / "driver").exists() else ""
            found.append({"name": interface.name, "driver": driver, "mtu_bytes": int(mtu), "queues": queues})
    return found


def steal_s() -> float:
    """Seconds since boot, over all cores, in which the host ran another guest instead of this one."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def cpu_model() -> str:
    """The processor's name, which psutil does not report, and its numbers: in a cloud several kinds have one name."""
    return model_in(_read("/proc/cpuinfo")) or platform.processor() or platform.machine()


def model_in(cpuinfo: str) -> str:
    """The name and the numbers of the first processor in the text of /proc/cpuinfo; empty if it has no name."""
    pairs = (line.partition(":")[::2] for line in cpuinfo.partition("\n\n")[0].splitlines())
    values = {key.strip(): value.strip() for key, value in pairs}
    numbers = [values.get(key, "") for key in ("cpu family", "model", "stepping")]
    name = values.get("model name", "")
    if not name or not all(number.isdigit() for number in numbers):
        return name
    return "{} (family {}, model {}, stepping {})".format(name, *numbers)


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
    """The instruction set that `simd` makes code for here, or "none: " and the reason."""
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
    """The MPI library's version line, without starting MPI; empty where our own is not installed."""
    if importlib.util.find_spec("mpi4py") is None:
        return ""
    import mpi4py

    mpi4py.rc.initialize = False
    from mpi4py import MPI

    return MPI.Get_library_version().split(",")[0].strip("\x00 \n")


if __name__ == "__main__":
    json.dump(describe_idle(), sys.stdout)
