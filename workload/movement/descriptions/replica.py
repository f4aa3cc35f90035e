"""Movement `replica`: the paper's program as published, whose ranks divide their part of the batch once too often."""

from __future__ import annotations

from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription


def replica_images(batch: int, ranks: int) -> int:
    """Images that each rank of the published program convolves: its part of the batch, divided once more."""
    return batch // ranks // ranks


def demand(cut: Decomposition) -> Demand:
    """Equal parts of whole images, an in-place Allgather of what was convolved, one Gather."""
    problem, ranks = cut.problem, cut.grid.ranks
    share = problem.batch // ranks
    block = share * (problem.x_image_bytes + problem.y_image_bytes)
    arrays = [block + problem.w_bytes * 2] * ranks
    arrays[0] += problem.x_bytes + problem.y_bytes
    spread = ranks * (ranks - 1) * replica_images(problem.batch, ranks) * problem.y_image_bytes
    return Demand(arrays, cut.root_checks_rows(), (ranks - 1) * block + spread + cut.weights_moved_bytes)


DESCRIPTION = MovementDescription(
    "replica", "workload.movement.replica:Replica", demand, batch_only=True, wrong_on_purpose=True
)
