"""Movement `pipeline`: the root streams pieces of the blocks, two steps of them in memory at a time."""

from __future__ import annotations

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.movements import scatter_gather
from workload.domain.movements.description import Decomposition, Demand, MovementDescription, Options


def demand(cut: Decomposition) -> Demand:
    """Two pieces of x and y each rank, the root those of all ranks; moves what scatter-gather moves."""
    steps = pieces_of(cut.blocks, chunk_bytes_of(cut.options))
    pieces = [piece(block, steps, 0) for block in cut.blocks]
    arrays = [2 * (part.x_bytes + part.y_bytes) + cut.weights_bytes(rank) for rank, part in enumerate(pieces)]
    arrays[0] += sum(2 * pieces[rank].x_bytes for rank in cut.others)
    arrays[0] += sum(2 * pieces[rank].y_bytes for rank in cut.others if rank in cut.finishers)
    flat = scatter_gather.demand(cut)
    return Demand(arrays, flat.checked_rows, flat.moved_bytes)


def streams(options: Options) -> bool:  # noqa: ARG001 - whatever they are
    """Always."""
    return True


DESCRIPTION = MovementDescription(
    "pipeline", "workload.movement.pipeline:Pipeline", demand, options=("chunk_bytes",), streams=streams
)
