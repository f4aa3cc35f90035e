"""Control groups of this process (Linux, v1 and v2): limits of memory and CPU time, and out-of-memory kills.

Reads limits and sets none. A file that cannot be read counts as no limit. Standard library only, so that the operator's
side can use it for its own machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
KERNEL_COUNTERS = Path("/proc/vmstat")


def memory_limit_bytes() -> int | None:
    """The lowest memory limit of the process's groups, None without one.

    Without a limit v1 reports the largest whole number of pages, which is more than any machine's memory.
    """
    limits = [_text(group / name) for group in _groups("memory") for name in ("memory.max", "memory.limit_in_bytes")]
    return min((int(limit) for limit in limits if limit.isdigit()), default=None)


def cpu_quota() -> float:
    """CPU seconds per second that the process's groups allow: their lowest quota, infinite without one."""
    return min(map(_quota, _groups("cpu")), default=math.inf)


def cpuset() -> str:
    """The CPUs of the process's own group, as the kernel lists them; empty where that says nothing."""
    names = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")
    return next((text for group in _groups("cpuset") for name in names if (text := _text(group / name))), "")


def oom_kills() -> dict[str, int]:
    """Out-of-memory kills so far, by the file that counts them: of the process's groups, and of the whole kernel.

    On v1 a kill counts in the victim's own group alone, on v2 in its ancestors as well.
    """
    files = [group / name for group in _groups("memory") for name in ("memory.events", "memory.oom_control")]
    counters: dict[str, int] = {}
    for path in (*files, KERNEL_COUNTERS):
        for line in _text(path).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.strip().isdigit():
                counters[str(path)] = int(value)
    return counters


def _groups(controller: str) -> Iterator[Path]:
    """The folders in which the controller acts on this process: its own group first, then the ancestors."""
    for line in _text(MEMBERSHIP).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = ROOT / controller if controllers else ROOT  # v2 has one hierarchy, and names no controllers
        own = root / group.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _quota(group: Path) -> float:
    words = _text(group / "cpu.max").split()  # v2: "200000 100000" or "max 100000"
    words = words or [_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")]
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
        return int(words[0]) / int(words[1])
    return math.inf  # "max", -1, or no such file


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
