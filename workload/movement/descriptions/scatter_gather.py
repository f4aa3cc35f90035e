"""Movement `scatter-gather`: the root holds whole x and y, and exchanges each rank's part with it.

With the option `in_place` the root works on its own part of x and y where it lies, as with MPI_IN_PLACE.
"""

from __future__ import annotations

from workload.domain.grid import Grid
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription, Options


def demand(cut: Decomposition) -> Demand:
    """Each rank its block, the root whole x and y as well; in place they hold the root's block."""
    arrays = [block.x_bytes + block.y_bytes + cut.weights_bytes(rank) for rank, block in enumerate(cut.blocks)]
    arrays[0] += cut.problem.x_bytes + cut.problem.y_bytes
    if x_in_place(cut.options):
        arrays[0] -= cut.blocks[0].x_bytes
    if y_in_place(cut.options, cut.grid):
        arrays[0] -= cut.blocks[0].y_bytes
    moved = sum(cut.blocks[rank].x_bytes for rank in cut.others) + cut.finished_bytes(cut.others)
    return Demand(arrays, cut.root_checks_rows(), moved + cut.weights_moved_bytes + cut.sums_moved_bytes)


def x_in_place(options: Options) -> bool:
    """Whether the root reads its part of x where it lies."""
    return options.get("in_place", False) is True


def y_in_place(options: Options, grid: Grid) -> bool:
    """Whether the root writes its part of y where it belongs. Partial sums need a buffer of their own."""
    return x_in_place(options) and grid.sum_parts == 1


DESCRIPTION = MovementDescription(
    "scatter-gather",
    "workload.movement.scatter_gather:ScatterGather",
    demand,
    options=("in_place",),
    switches=("in_place",),
)
