"""How many ranks run where: the same five numbers for every launcher."""

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
