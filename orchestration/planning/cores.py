"""Cores of a cluster's nodes, as its ranks may count on them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def cores(machines: Sequence[Mapping[str, Any]]) -> int:
    """Physical cores of a node, the least of them; 0 where nodes share a kernel, and so its cores, as containers do."""
    return 0 if share_cores(machines) else min(int(machine["cores"]) for machine in machines)


def hardware_threads(machines: Sequence[Mapping[str, Any]]) -> int:
    """Hardware threads of a node, the least of them; 0 where nodes share a kernel."""
    return 0 if share_cores(machines) else min(int(machine["threads"]) for machine in machines)


def share_cores(machines: Sequence[Mapping[str, Any]]) -> bool:
    """True where several nodes are one machine."""
    return len({machine["boot_id"] for machine in machines}) < len(machines)
