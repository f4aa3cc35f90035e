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
from workload.instruments.cgroup import cpu_quota

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
