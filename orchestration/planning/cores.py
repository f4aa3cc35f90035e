"""CPUs of a cluster's nodes, as its ranks may count on them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.jobs.launchers.placement import NodeCpus

UNKNOWN = NodeCpus(0, 0, bindable=False)  # ranks are bound to nothing


def node_cpus(machines: Sequence[Mapping[str, Any]]) -> NodeCpus:
    """What ranks may use of every node; nothing is known where nodes share a machine, as containers do.

    What a process there may use counts, not what the hardware has. mpirun takes one list of cores for all nodes.
    """
    if share_cores(machines):
        return UNKNOWN
    usable = [_usable(machine) for machine in machines]
    lists = {item.get("core_list") for item in usable}
    return NodeCpus(
        cores=min(int(item["cores"]) for item in usable),
        threads=min(int(item["threads"]) for item in usable),
        core_list=next(iter(lists)) or None,
        bindable=len(lists) == 1 and "" not in lists,
    )


def fewest_cores(machines: Sequence[Mapping[str, Any]]) -> int:
    """Cores that ranks may use of a node, the least of them, also where nodes share them."""
    return min(int(_usable(machine)["cores"]) for machine in machines)


def share_cores(machines: Sequence[Mapping[str, Any]]) -> bool:
    """True where several nodes are one machine."""
    return len({machine["boot_id"] for machine in machines}) < len(machines)


def _usable(machine: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = machine.get("usable") or machine
    return found
