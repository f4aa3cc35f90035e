"""Movement `distributed`: each rank makes its own x and keeps its own y; only weights and partial sums move."""

from __future__ import annotations

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription, Options


def demand(cut: Decomposition) -> Demand:
    """Each rank its block, or one piece of it if it streams."""
    steps = pieces_of(cut.blocks, chunk_bytes_of(cut.options) * cut.grid.ranks) if streams(cut.options) else 1
    pieces = [piece(block, steps, 0) for block in cut.blocks]
    arrays = [part.x_bytes + part.y_bytes + cut.weights_bytes(rank) for rank, part in enumerate(pieces)]
    return Demand(arrays, cut.finishers_check_rows(), cut.weights_moved_bytes + cut.sums_moved_bytes)


def streams(options: Options) -> bool:
    """If the option `chunk_bytes` is given."""
    return "chunk_bytes" in options


DESCRIPTION = MovementDescription(
    "distributed", "workload.movement.distributed:Distributed", demand, options=("chunk_bytes",), streams=streams
)
