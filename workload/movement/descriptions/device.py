"""Movement `device`: each rank makes its own x, takes it to the GPU of its local rank, and y back.

With the option `chunk_bytes` pieces of about that many bytes of x go in, are convolved and come back at the same time.
"""

from __future__ import annotations

from workload.domain.chunks import chunk_bytes_of, pieces_of
from workload.domain.grid import Block
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription, Options


def demand(cut: Decomposition) -> Demand:
    """On the host: each rank its block of x and of y, and its weights once more in the kernel's order."""
    for block in cut.blocks:
        steps_of(block, cut.options)  # refuses a wrong size
    arrays = [
        block.x_bytes + block.y_bytes + block.w_bytes + cut.weights_bytes(rank) for rank, block in enumerate(cut.blocks)
    ]
    return Demand(arrays, cut.finishers_check_rows(), cut.weights_moved_bytes + cut.sums_moved_bytes)


def steps_of(block: Block, options: Options) -> int:
    """Into how many pieces a rank cuts its block. Raises ValueError unless `chunk_bytes` is a positive whole number."""
    return pieces_of([block], chunk_bytes_of(options)) if "chunk_bytes" in options else 1


DESCRIPTION = MovementDescription(
    "device", "workload.movement.device:OnDevice", demand, options=("chunk_bytes",), on_gpu=True
)
