"""Bytes that a run will hold on each rank and move between ranks, predicted before it starts; the grid of least cost.

Standard library only. The arrays are exact; the baseline, what a rank holds besides them, is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workload.domain import backends
from workload.domain.grid import Grid, axis_lengths, block_of
from workload.domain.problem import Problem
from workload.movement import descriptions as movements
from workload.movement.descriptions.description import Decomposition, Options

CHECK_ROW_BYTES = 17  # expected sum and tolerance of one output row, and whether it was seen
POOL_PICTURES = 8  # distinct pictures a batch is made from, uint8, mapped


@dataclass(frozen=True)
class Footprint:
    """Predicted resident peak of each rank, its arrays and shared windows, and bytes that cross in one repeat."""

    peak_bytes: tuple[int, ...]
    array_bytes: tuple[int, ...]
    moved_bytes: int
    window_bytes: tuple[int, ...] = ()


def predict(
    problem: Problem,
    grid: Grid,
    movement: str,
    options: Options | None = None,
    ranks_per_node: int | None = None,
    *,
    backend: str = "simd",
) -> Footprint:
    """Peak bytes per rank and bytes moved in one repeat; nodes are filled one after the other.

    Raises ValueError for an unknown movement or backend, a bad option, or a grid that does not fit the problem or the
    movement.
    """
    description = movements.describe(movement)
    if objection := description.objection(grid):
        raise ValueError(objection)
    options = options or {}
    per_node = int(options.get("group_ranks") or ranks_per_node or grid.ranks)
    demand = description.demand(Decomposition.of(problem, grid, options, per_node))
    baselines = [baseline_bytes(problem, rows, backend) for rows in demand.checked_rows]
    peaks = tuple(size + baseline for size, baseline in zip(demand.array_bytes, baselines, strict=True))
    return Footprint(peaks, tuple(demand.array_bytes), demand.moved_bytes, tuple(demand.window_bytes))


def baseline_bytes(problem: Problem, checked_rows: int, backend: str) -> int:
    """Resident bytes of a rank before its arrays exist; `checked_rows` is how many rows of y it hands to the check.

    Ranks that check also read the pool of pictures.
    """
    baseline = backends.describe(backend).baseline_bytes
    if checked_rows == 0:
        return baseline
    pool = POOL_PICTURES * problem.in_channels * problem.height * problem.width
    return baseline + pool + CHECK_ROW_BYTES * checked_rows


def choose_grid(
    problem: Problem, ranks: int, movement: str, options: Options | None = None, ranks_per_node: int | None = None
) -> Grid:
    """The grid of least cost: bytes moved in one repeat plus the bytes of the largest rank's block.

    Among equal ones, the one that cuts the batch most, then out_channel, and so on. Raises ValueError if no grid of
    that many parts fits the problem and the movement.
    """
    description = movements.describe(movement)

    def cost(grid: Grid) -> int:
        block = block_of(problem, grid, 0)  # the first parts are the largest
        largest = block.x_bytes + block.y_bytes + block.w_bytes
        return largest + predict(problem, grid, movement, options, ranks_per_node).moved_bytes

    grids = (grid for grid in _grids(problem, ranks) if description.objection(grid) is None)
    best = min(grids, key=cost, default=None)
    if best is None:
        raise ValueError(f"no grid of {ranks} parts fits the problem: every axis is shorter than what is left to cut")
    return best


def _grids(problem: Problem, ranks: int) -> Iterator[Grid]:
    """Every grid of so many parts that fits the problem; those that cut the early axes most come first."""

    def split(left: int, lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
        if not lengths:
            if left == 1:
                yield ()
            return
        for parts in range(min(left, lengths[0]), 0, -1):
            if left % parts == 0:
                for rest in split(left // parts, lengths[1:]):
                    yield (parts, *rest)

    for parts in split(ranks, list(axis_lengths(problem).values())):
        yield Grid(*parts)
