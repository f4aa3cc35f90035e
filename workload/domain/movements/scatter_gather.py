"""Movement `scatter-gather`: the root holds whole x and y, and exchanges each rank's part with it."""

from __future__ import annotations

from workload.domain.movements.description import Decomposition, Demand, MovementDescription


def demand(cut: Decomposition) -> Demand:
    """Each rank its block, the root whole x and y as well."""
    arrays = [block.x_bytes + block.y_bytes + cut.weights_bytes(rank) for rank, block in enumerate(cut.blocks)]
    arrays[0] += cut.problem.x_bytes + cut.problem.y_bytes
    moved = sum(cut.blocks[rank].x_bytes for rank in cut.others) + cut.finished_bytes(cut.others)
    return Demand(arrays, cut.root_checks_rows(), moved + cut.weights_moved_bytes + cut.sums_moved_bytes)


DESCRIPTION = MovementDescription("scatter-gather", "workload.movement.scatter_gather:ScatterGather", demand)
