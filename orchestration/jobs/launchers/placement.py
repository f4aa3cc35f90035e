"""How many ranks run where, and on which CPUs: the same for every launcher."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """`ranks` processes on the first `nodes` nodes of a cluster, at most `ranks_per_node` on one of them.

    `threads` is the number of threads of a rank. `binding` is one of workload.record's BINDINGS: `none`, `core` or
    `hwthread`.
    """

    ranks: int
    nodes: int
    ranks_per_node: int
    threads: int = 1
    binding: str = "none"


@dataclass(frozen=True)
class NodeCpus:
    """CPUs of a node that its ranks may use, the least of all nodes; 0 where nodes share one machine's.

    `core_list` are the cores, as hwloc numbers them, where ranks may use only some, for example "0-3,8".
    """

    cores: int
    threads: int  # hardware threads of them
    core_list: str | None = None
    bindable: bool = True  # False where ranks cannot be bound without leaving what they may use
