"""Bytes a run will hold on each rank and move between ranks: predicted before it starts.

Standard library only. The arrays are exact; `BASELINE_BYTES` is what a rank holds besides them.
"""

from __future__ import annotations

from dataclasses import dataclass

from workload.grid import Grid, block_of, whole
from workload.problem import Problem

# Resident size of a rank after imports and MPI start: interpreter, numpy, llvmlite, Open MPI.
# Measured with Python 3.11 on x86-64; shared libraries are counted in every rank, so sums err on the safe side.
BASELINE_BYTES = 110 * 2**20
CHECK_GROUP_BYTES = 32 * 2**20  # the check works through images in groups of at most this size
CHECK_ROW_BYTES = 16  # expected sum and tolerance of one output row
POOL_PICTURES = 8  # distinct pictures a batch is made from, uint8, mapped


@dataclass(frozen=True)
class Footprint:
    """Predicted resident peak of each rank, and bytes that cross between ranks in one repeat."""

    peak_bytes: tuple[int, ...]
    moved_bytes: int


def baseline_bytes(problem: Problem, checked_images: int) -> int:
    """A rank's bytes before its arrays exist; `checked_images` is how many images of y it hands to the check."""
    pool = POOL_PICTURES * problem.in_channels * problem.height * problem.width
    rows = checked_images * problem.out_channels * problem.out_height
    return BASELINE_BYTES + pool + CHECK_ROW_BYTES * rows


def predict(problem: Problem, grid: Grid, movement: str) -> Footprint:
    """Peak bytes per rank and bytes moved. Raises ValueError for an unknown movement or a grid that does not fit."""
    if movement == "serial":
        return _serial(problem)
    if movement == "scatter-gather":
        return _scatter_gather(problem, grid)
    raise ValueError(f"movement {movement!r} is unknown: no footprint can be predicted")


def _serial(problem: Problem) -> Footprint:
    return Footprint((baseline_bytes(problem, problem.batch) + problem.total_bytes,), 0)


def _scatter_gather(problem: Problem, grid: Grid) -> Footprint:
    blocks = [block_of(problem, grid, rank) for rank in range(grid.ranks)]
    peaks = [block.x_bytes + block.y_bytes + problem.w_bytes + baseline_bytes(problem, 0) for block in blocks]
    everything = whole(problem)
    peaks[0] += everything.x_bytes + everything.y_bytes
    peaks[0] += baseline_bytes(problem, problem.batch) - baseline_bytes(problem, 0)
    moved = sum(block.x_bytes + block.y_bytes + problem.w_bytes for block in blocks[1:])
    return Footprint(tuple(peaks), moved)
