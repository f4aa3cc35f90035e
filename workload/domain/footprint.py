"""Bytes a run will hold on each rank and move between ranks: predicted before it starts.

Standard library only. The arrays are exact; the baseline, what a rank holds besides them, is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.grid import Block, Grid, axis_lengths, block_of, finisher, whole
from workload.domain.problem import Problem
from workload.domain.topology import node_groups, subtree

# Resident size of a rank after imports and MPI start, measured with Python 3.11 on x86-64: interpreter, numpy
# and Open MPI; the compiling backends add LLVM. Shared libraries are counted in every rank, so that sums err
# on the safe side.
BASELINE_BYTES = {"numpy": 50 * 2**20}
COMPILING_BASELINE_BYTES = 126 * 2**20
CHECK_ROW_BYTES = 17  # expected sum and tolerance of one output row, and whether it was seen
POOL_PICTURES = 8  # distinct pictures a batch is made from, uint8, mapped

Options = Mapping[str, int | str | bool]


@dataclass(frozen=True)
class Footprint:
    """Predicted resident peak of each rank, the part of it that are arrays, and bytes that cross between ranks."""

    peak_bytes: tuple[int, ...]
    array_bytes: tuple[int, ...]
    moved_bytes: int


@dataclass(frozen=True)
class _Plan:
    """What every prediction starts from."""

    problem: Problem
    grid: Grid
    options: Options
    nodes: list[list[int]]
    blocks: list[Block]
    finishers: list[int]

    @property
    def others(self) -> list[int]:
        return list(range(1, self.grid.ranks))

    @property
    def weights_moved(self) -> int:
        return len(self.others) * self.problem.w_bytes

    @property
    def sums_moved(self) -> int:
        """Partial sums that travel to their finishers."""
        return sum(block.y_bytes for rank, block in enumerate(self.blocks) if rank not in self.finishers)

    def weights_bytes(self, rank: int) -> int:
        """The weights as the root's copy or as received, and the block's part of them."""
        return self.problem.w_bytes * 2 + 4 * _product(self.blocks[rank].w_shape)

    def finished_bytes(self, ranks: list[int]) -> int:
        return sum(self.blocks[rank].y_bytes for rank in ranks if rank in self.finishers)


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

    Raises ValueError for an unknown movement, a bad option or a grid that does not fit.
    """
    if movement not in _PREDICTIONS:
        raise ValueError(f"movement {movement!r} is unknown: it is one of {', '.join(_PREDICTIONS)}")
    options = options or {}
    per_node = options.get("group_ranks") or ranks_per_node or grid.ranks
    nodes = [list(range(span.start, span.stop)) for span in node_groups(grid.ranks, int(per_node))]
    blocks = [block_of(problem, grid, rank) for rank in range(grid.ranks)]
    finishers = [rank for rank in range(grid.ranks) if finisher(grid, rank) == rank]
    plan = _Plan(problem, grid, options, nodes, blocks, finishers)
    arrays, checked, moved = _PREDICTIONS[movement](plan)
    baselines = [baseline_bytes(problem, rows, backend) for rows in checked]
    peaks = tuple(size + baseline for size, baseline in zip(arrays, baselines, strict=True))
    return Footprint(peaks, tuple(arrays), moved)


def baseline_bytes(problem: Problem, checked_rows: int, backend: str) -> int:
    """A rank's bytes before its arrays exist; `checked_rows` is how many rows of y it hands to the check.

    Ranks that check also read the pool, for the check or for their own x.
    """
    baseline = BASELINE_BYTES.get(backend, COMPILING_BASELINE_BYTES)
    if checked_rows == 0:
        return baseline
    return (
        baseline + POOL_PICTURES * problem.in_channels * problem.height * problem.width + CHECK_ROW_BYTES * checked_rows
    )


# A prediction: array bytes by rank, rows of y checked by rank, bytes moved.
_Prediction = tuple[list[int], list[int], int]


def _serial(plan: _Plan) -> _Prediction:
    problem = plan.problem
    return [problem.x_bytes + problem.y_bytes + problem.w_bytes], [_rows(whole(problem))], 0


def _scatter_gather(plan: _Plan) -> _Prediction:
    arrays = [block.x_bytes + block.y_bytes + plan.weights_bytes(rank) for rank, block in enumerate(plan.blocks)]
    arrays[0] += plan.problem.x_bytes + plan.problem.y_bytes
    moved = sum(plan.blocks[rank].x_bytes for rank in plan.others) + plan.finished_bytes(plan.others)
    return arrays, _root_checks(plan), moved + plan.weights_moved + plan.sums_moved


def _tree(plan: _Plan) -> _Prediction:
    arrays, checked, _ = _scatter_gather(plan)
    moved = plan.weights_moved + plan.sums_moved
    for number, node in enumerate(plan.nodes):
        span = subtree(number, len(plan.nodes))
        below = [rank for ranks in plan.nodes[span.start : span.stop] for rank in ranks]
        passed = sum(plan.blocks[rank].x_bytes for rank in below) + plan.finished_bytes(below)
        if number > 0:
            arrays[node[0]] += passed  # a leader holds its subtree's parts
            moved += passed  # and gets them from the leader above
        moved += sum(plan.blocks[rank].x_bytes for rank in node[1:]) + plan.finished_bytes(node[1:])
    return arrays, checked, moved


def _pipeline(plan: _Plan) -> _Prediction:
    steps = pieces_of(plan.blocks, chunk_bytes_of(plan.options))
    pieces = [piece(block, steps, 0) for block in plan.blocks]
    arrays = [2 * (part.x_bytes + part.y_bytes) + plan.weights_bytes(rank) for rank, part in enumerate(pieces)]
    arrays[0] += sum(2 * pieces[rank].x_bytes for rank in plan.others)
    arrays[0] += sum(2 * pieces[rank].y_bytes for rank in plan.others if rank in plan.finishers)
    _, checked, moved = _scatter_gather(plan)
    return arrays, checked, moved


def _shared(plan: _Plan) -> _Prediction:
    arrays = [plan.weights_bytes(rank) for rank in range(plan.grid.ranks)]
    moved = plan.weights_moved + plan.sums_moved
    for rank, block in enumerate(plan.blocks):
        arrays[rank] += block.x_bytes  # the window's pages that it reads count as its own
        if plan.grid.sum_parts > 1:
            arrays[rank] += block.y_bytes
        if rank in plan.finishers:
            arrays[rank] += block.y_bytes
    for node in plan.nodes[1:]:
        box = _box_x_bytes(plan, node)
        moved += box + plan.finished_bytes(node)
        arrays[node[0]] += box - plan.blocks[node[0]].x_bytes
        arrays[0] += plan.finished_bytes(node) + box
    return arrays, _owners_check(plan), moved


def _distributed(plan: _Plan) -> _Prediction:
    streams = "chunk_bytes" in plan.options
    steps = pieces_of(plan.blocks, chunk_bytes_of(plan.options) * plan.grid.ranks) if streams else 1
    pieces = [piece(block, steps, 0) for block in plan.blocks]
    arrays = [part.x_bytes + part.y_bytes + plan.weights_bytes(rank) for rank, part in enumerate(pieces)]
    return arrays, _owners_check(plan), plan.weights_moved + plan.sums_moved


def replica_images(batch: int, ranks: int) -> int:
    """Images that each rank of the published program convolves: its part of the batch, divided once more."""
    return batch // ranks // ranks


def _replica(plan: _Plan) -> _Prediction:
    """As the movement does it: equal parts of whole images, an in-place Allgather, one Gather."""
    problem, ranks = plan.problem, plan.grid.ranks
    share = problem.batch // ranks
    block = share * (problem.x_image_bytes + problem.y_image_bytes)
    arrays = [block + problem.w_bytes * 2] * ranks
    arrays[0] += problem.x_bytes + problem.y_bytes
    spread = ranks * (ranks - 1) * replica_images(problem.batch, ranks) * problem.y_image_bytes
    return arrays, _root_checks(plan), (ranks - 1) * block + spread + plan.weights_moved


_PREDICTIONS = {
    "serial": _serial,
    "scatter-gather": _scatter_gather,
    "tree": _tree,
    "pipeline": _pipeline,
    "shared": _shared,
    "distributed": _distributed,
    "replica": _replica,
}


def _root_checks(plan: _Plan) -> list[int]:
    return [_rows(whole(plan.problem)), *(0 for _ in plan.others)]


def _owners_check(plan: _Plan) -> list[int]:
    return [_rows(block) if rank in plan.finishers else 0 for rank, block in enumerate(plan.blocks)]


def _rows(block: Block) -> int:
    return _product(block.y_shape[:3])


def _box_x_bytes(plan: _Plan, node: list[int]) -> int:
    """x of the smallest block that holds all of a node's."""
    sizes = []
    for axis in range(4):
        spans = [plan.blocks[rank].x_spans[axis] for rank in node]
        sizes.append(max(span.stop for span in spans) - min(span.start for span in spans))
    return 4 * _product(tuple(sizes))


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def choose_grid(
    problem: Problem, ranks: int, movement: str, options: Options | None = None, ranks_per_node: int | None = None
) -> Grid:
    """The grid of least cost: bytes moved in one repeat plus the bytes of the largest rank's block.

    Of equal ones that which cuts the batch most, then out_channel, and so on. Raises ValueError where no
    grid of that many parts fits the problem.
    """
    best: tuple[int, Grid] | None = None
    for grid in _grids(problem, ranks):
        block = block_of(problem, grid, 0)  # the first parts are the largest
        largest = block.x_bytes + block.y_bytes + 4 * _product(block.w_shape)
        cost = largest + predict(problem, grid, movement, options, ranks_per_node).moved_bytes
        if best is None or cost < best[0]:
            best = (cost, grid)
    if best is None:
        raise ValueError(f"no grid of {ranks} parts fits the problem: every axis is shorter than what is left to cut")
    return best[1]


def _grids(problem: Problem, ranks: int) -> Iterator[Grid]:
    """Every grid of so many parts that fits, those that cut early axes most first."""

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
