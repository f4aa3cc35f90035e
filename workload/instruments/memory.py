"""Memory of this process: what psutil gives through psutil, /proc for the rest (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path

import psutil

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def give_back_freed() -> None:
    """Hands freed memory back to the kernel, which the C library else keeps for later; nothing where it cannot."""
    with contextlib.suppress(AttributeError):  # glibc's own
        ctypes.CDLL(None).malloc_trim(0)


def rss_bytes() -> int:
    """Resident bytes now."""
    return int(psutil.Process().memory_info().rss)


def reset_peak() -> bool:
    """Sets the kernel's resident peak (VmHWM) back to the size now; False where it may not."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_rss_bytes() -> int | None:
    """Resident peak since `reset_peak` (VmHWM), None where the kernel tells none. psutil does not read it on Linux."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def pss_and_swap_bytes() -> tuple[int | None, int | None]:
    """Proportional resident bytes (shared pages divided among their users) and swapped bytes, None where not told."""
    try:
        info = psutil.Process().memory_full_info()
    except (psutil.Error, OSError):
        return None, None
    return int(info.pss), int(info.swap)


def major_faults() -> int:
    """Page faults of this process that had to wait for a disk, since its start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt
