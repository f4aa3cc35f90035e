"""Shared memory of nodes: room for the runs' windows, and whether MPI may copy large messages once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.checks.nodes import Check
from orchestration.clusters.inventory import Inventory
from orchestration.planning.plan import PlannedRun, shared_memory_bytes, skip_reason

Machines = Sequence[Mapping[str, Any]]


def windows(runs: Sequence[PlannedRun], inventory: Inventory, machines: Machines) -> Check:
    """Whether every run's windows fit; those that do not are skipped by a sweep."""
    needed = max((shared_memory_bytes(item, node) for item in runs for node in range(item.run.nodes)), default=0)
    reasons = [reason for item in runs if "/dev/shm" in (reason := skip_reason(item, inventory, machines) or "")]  # noqa: S108
    warnings = (f"{len(reasons)} of {len(runs)} runs will be skipped ({reasons[0]})",) if reasons else ()
    return Check("shared windows of the runs", f"at most {needed / 2**20:.0f} MiB a node", warnings=warnings)


def single_copy(machines: Machines) -> Check:
    """Whether MPI copies large messages within a node once."""
    line = no_single_copy(machines)
    return Check("single copy within a node", "forbidden" if line else "works", warnings=(line,) if line else ())


def no_single_copy(machines: Machines) -> str:
    """The line that says where single copy does not work; empty where it does, or where nobody knows."""
    names = [str(machine["node"]) for machine in machines if machine.get("single_copy") is False]
    if not names:
        return ""
    return (
        f"single copy is forbidden on {', '.join(names)}: MPI copies large messages within a node twice "
        "(a container: --cap-add SYS_PTRACE allows it)"
    )
