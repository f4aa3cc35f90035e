"""Movement `broadcast`: every rank receives all of x and convolves its block out of it."""

from __future__ import annotations

from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription


def demand(cut: Decomposition) -> Demand:
    """Whole x on every rank; the root holds whole y as well."""
    arrays = [cut.problem.x_bytes + block.y_bytes + cut.weights_bytes(rank) for rank, block in enumerate(cut.blocks)]
    arrays[0] += cut.problem.y_bytes
    moved = len(cut.others) * cut.problem.x_bytes + cut.finished_bytes(cut.others)
    return Demand(arrays, cut.root_checks_rows(), moved + cut.weights_moved_bytes + cut.sums_moved_bytes)


DESCRIPTION = MovementDescription("broadcast", "workload.movement.broadcast:Broadcast", demand)
