"""Movement `tree`: as scatter-gather, by way of node leaders that form a binomial tree."""

from __future__ import annotations

from workload.domain.topology import subtree
from workload.movement.descriptions import scatter_gather
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription


def demand(cut: Decomposition) -> Demand:
    """As scatter-gather; a leader holds the parts of its subtree, which cross once a level."""
    flat = scatter_gather.demand(cut)
    arrays = flat.array_bytes
    moved = cut.weights_moved_bytes + cut.sums_moved_bytes
    for number, node in enumerate(cut.nodes):
        below = [rank for leader in subtree(number, len(cut.nodes)) for rank in cut.nodes[leader]]
        passed = sum(cut.blocks[rank].x_bytes for rank in below) + cut.finished_bytes(below)
        if number > 0:
            arrays[node[0]] += passed
            moved += passed
        moved += sum(cut.blocks[rank].x_bytes for rank in node[1:]) + cut.finished_bytes(node[1:])
    return Demand(arrays, flat.checked_rows, moved)


DESCRIPTION = MovementDescription("tree", "workload.movement.tree:Tree", demand, options=("group_ranks",))
