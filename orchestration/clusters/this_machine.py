"""This machine as a cluster of one node: its name, its slots, its memory."""

from __future__ import annotations

import math
import os
import socket
import sys
from pathlib import Path

import psutil

from infra import hostfile
from orchestration.clusters import inventory
from orchestration.clusters.inventory import Inventory

NAME = "local"


def describe(root: Path, utc: str) -> Inventory:
    """The inventory of this machine, made anew at every call."""
    node = {
        "name": NAME,
        "address": socket.gethostname(),
        "slots": slots(),
        "memory_bytes": psutil.virtual_memory().total,
    }
    cluster = {
        "cluster": NAME,
        "profile": NAME,
        "default_study": "quick",
        "python": str(Path(sys.prefix) / "bin" / "python"),
        "workdir": str(root),
        "launcher": "local",
        "transport": "auto",
        "created_at": utc,
    }
    return inventory.parse(hostfile.describe(cluster, [node])[1], NAME)


def slots() -> int:
    """Ranks this machine takes: physical cores, but no more than this process may run on or its quota of CPU time."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, math.ceil(min(cores, len(os.sched_getaffinity(0)), cpu_quota())))


def cpu_quota() -> float:
    """The least CPUs' worth of time that this process's control groups allow (v1 and v2); infinite without a limit."""
    quotas = [math.inf]
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, group = line.split(":", 2)
        root = Path("/sys/fs/cgroup") if controllers == "" else Path("/sys/fs/cgroup/cpu")
        if controllers and "cpu" not in controllers.split(","):
            continue
        leaf = root / group.lstrip("/")
        quotas += [_quota(folder) for folder in (leaf, *leaf.parents) if folder.is_relative_to(root)]
    return min(quotas)


def _quota(group: Path) -> float:
    words = _text(group / "cpu.max").split()  # v2: "200000 100000" or "max 100000"
    words = words or [_text(group / "cpu.cfs_quota_us").strip(), _text(group / "cpu.cfs_period_us").strip()]
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
        return int(words[0]) / int(words[1])
    return math.inf  # "max", -1, or no such file


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
