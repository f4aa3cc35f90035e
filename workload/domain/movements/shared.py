"""Movement `shared`: one x and one y a node, in memory that its ranks share."""

from __future__ import annotations

import math

from workload.domain.movements.description import Decomposition, Demand, MovementDescription
from workload.domain.problem import ITEM_BYTES


def demand(cut: Decomposition) -> Demand:
    """A rank's resident size counts the pages of the node's x and y that it reads and writes."""
    arrays = [cut.weights_bytes(rank) for rank in range(cut.grid.ranks)]
    moved = cut.weights_moved_bytes + cut.sums_moved_bytes
    for rank, block in enumerate(cut.blocks):
        arrays[rank] += block.x_bytes
        if cut.grid.sum_parts > 1:
            arrays[rank] += block.y_bytes
        if rank in cut.finishers:
            arrays[rank] += block.y_bytes
    for node in cut.nodes[1:]:
        box = _box_x_bytes(cut, node)
        moved += box + cut.finished_bytes(node)
        arrays[node[0]] += box - cut.blocks[node[0]].x_bytes
        arrays[0] += cut.finished_bytes(node) + box
    return Demand(arrays, cut.finishers_check_rows(), moved)


def _box_x_bytes(cut: Decomposition, node: list[int]) -> int:
    """x of the smallest block that holds all of a node's."""
    sizes = []
    for axis in range(4):
        spans = [cut.blocks[rank].x_spans[axis] for rank in node]
        sizes.append(max(span.stop for span in spans) - min(span.start for span in spans))
    return ITEM_BYTES * math.prod(sizes)


DESCRIPTION = MovementDescription("shared", "workload.movement.shared:Shared", demand, options=("group_ranks",))
