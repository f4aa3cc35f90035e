"""Movement `shared`: one x and one y a node, in memory that its ranks share."""

from __future__ import annotations

import math

from workload.domain.grid import Span
from workload.domain.problem import ITEM_BYTES
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription


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
        box = _box_bytes(cut, node, "x_spans")
        moved += box + cut.finished_bytes(node)
        arrays[node[0]] += box - cut.blocks[node[0]].x_bytes
        arrays[0] += cut.finished_bytes(node) + box
    return Demand(arrays, cut.finishers_check_rows(), moved, _windows(cut))


def _windows(cut: Decomposition) -> list[int]:
    """Each node's x and y, as its first rank's; the root's node has all of both. A rank alone shares nothing."""
    windows = [0] * cut.grid.ranks
    for node in cut.nodes:
        if len(node) > 1:
            whole = cut.problem.x_bytes + cut.problem.y_bytes
            box = _box_bytes(cut, node, "x_spans") + _box_bytes(cut, node, "y_spans")
            windows[node[0]] = whole if node[0] == 0 else box
    return windows


def _box_bytes(cut: Decomposition, node: list[int], spans_of: str) -> int:
    """x, or y, of the smallest block that holds all of a node's."""
    sizes = []
    for axis in range(4):
        spans: list[Span] = [getattr(cut.blocks[rank], spans_of)[axis] for rank in node]
        sizes.append(max(span.stop for span in spans) - min(span.start for span in spans))
    return ITEM_BYTES * math.prod(sizes)


DESCRIPTION = MovementDescription("shared", "workload.movement.shared:Shared", demand, options=("group_ranks",))
