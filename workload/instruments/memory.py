"""Memory of this process (Linux): by psutil, and from /proc what psutil does not report."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path

import psutil

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def give_back_freed() -> None:
    """Returns freed memory, which the C library would keep, to the kernel. Does nothing where it cannot."""
    with contextlib.suppress(AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


def rss_bytes() -> int:
    """Resident bytes now."""
    return int(psutil.Process().memory_info().rss)


def reset_peak() -> bool:
    """Resets the kernel's resident peak (VmHWM) to the current size. Returns False if that is not allowed."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_rss_bytes() -> int | None:
    """Resident peak since `reset_peak` (VmHWM), None if the kernel reports none. psutil does not read it on Linux."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def pss_and_swap_bytes() -> tuple[int | None, int | None]:
    """Proportional resident bytes (shared pages divided among their users) and swapped bytes; None if unknown."""
    try:
        info = psutil.Process().memory_full_info()
    except (psutil.Error, OSError):
        return None, None
    return int(info.pss), int(info.swap)


def major_faults() -> int:
    """Page faults of this process that waited for a disk, since its start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt
