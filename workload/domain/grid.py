"""The process grid: into how many parts each of Eq. 1's seven loops is cut, and who owns which part.

`batch, out_channel, row, column` cut the output: results are disjoint, and row and column read
`kernel_size - 1` lines beyond their own (the halo). `in_channel, tap_row, tap_column` cut the sum:
the ranks that share an output block hold partial sums of it, which a reduction completes.

Pure integer arithmetic. Nothing needs to divide evenly, and nothing here communicates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workload.domain.problem import ITEM_BYTES, Problem

OUTPUT_AXES = ("batch", "out_channel", "row", "column")
SUM_AXES = ("in_channel", "tap_row", "tap_column")
AXES = OUTPUT_AXES + SUM_AXES  # rank order is row-major over these: batch slowest


@dataclass(frozen=True)
class Span:
    """Half-open range of global indices along one axis."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def intersects(self, other: Span) -> bool:
        return self.start < other.stop and other.start < self.stop

    def contains(self, other: Span) -> bool:
        return self.start <= other.start and other.stop <= self.stop


@dataclass(frozen=True)
class Block:
    """What one rank owns: a range of each of the seven loops, in global indices."""

    batch: Span
    out_channel: Span
    row: Span
    column: Span
    in_channel: Span
    tap_row: Span
    tap_column: Span

    @property
    def x_rows(self) -> Span:
        """Rows of x that this block reads: its own and the halo of its taps."""
        return Span(self.row.start + self.tap_row.start, self.row.stop + self.tap_row.stop - 1)

    @property
    def x_columns(self) -> Span:
        """Columns of x that this block reads: its own and the halo of its taps."""
        return Span(self.column.start + self.tap_column.start, self.column.stop + self.tap_column.stop - 1)

    @property
    def x_spans(self) -> tuple[Span, Span, Span, Span]:
        return (self.batch, self.in_channel, self.x_rows, self.x_columns)

    @property
    def w_spans(self) -> tuple[Span, Span, Span, Span]:
        return (self.out_channel, self.in_channel, self.tap_row, self.tap_column)

    @property
    def y_spans(self) -> tuple[Span, Span, Span, Span]:
        return (self.batch, self.out_channel, self.row, self.column)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.x_spans))

    @property
    def w_shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.w_spans))

    @property
    def y_shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.y_spans))

    @property
    def x_bytes(self) -> int:
        return ITEM_BYTES * math.prod(self.x_shape)

    @property
    def w_bytes(self) -> int:
        return ITEM_BYTES * math.prod(self.w_shape)

    @property
    def y_bytes(self) -> int:
        return ITEM_BYTES * math.prod(self.y_shape)

    @property
    def y_elements(self) -> int:
        return math.prod(self.y_shape)

    def as_dict(self) -> dict[str, list[int]]:
        """Seven `[start, stop]` pairs, as a record holds them."""
        return {axis: [span.start, span.stop] for axis, span in vars(self).items()}


@dataclass(frozen=True)
class Grid:
    """Number of parts along each axis; their product is the number of ranks.

    Raises ValueError for anything but positive integers.
    """

    batch: int = 1
    out_channel: int = 1
    row: int = 1
    column: int = 1
    in_channel: int = 1
    tap_row: int = 1
    tap_column: int = 1

    def __post_init__(self) -> None:
        for axis, parts in vars(self).items():
            if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
                raise ValueError(f"grid.{axis} = {parts!r} is not a number of parts: give a whole number of at least 1")

    @classmethod
    def from_dict(cls, parts: Mapping[str, object]) -> Grid:
        """The grid of a document; an axis that is left out has one part. Raises ValueError for an unknown axis."""
        if unknown := [axis for axis in parts if axis not in AXES]:
            raise ValueError(f"grid has no axis {', '.join(map(str, unknown))}: its axes are {', '.join(AXES)}")
        return cls(**dict(parts))  # type: ignore[arg-type]  # __post_init__ refuses wrong types

    def as_dict(self) -> dict[str, int]:
        return dict(vars(self))

    @property
    def parts(self) -> tuple[int, ...]:
        return tuple(getattr(self, axis) for axis in AXES)

    @property
    def ranks(self) -> int:
        return math.prod(self.parts)

    @property
    def sum_parts(self) -> int:
        """Ranks that share one output block, each with a partial sum of it."""
        return math.prod(getattr(self, axis) for axis in SUM_AXES)


def axis_lengths(problem: Problem) -> dict[str, int]:
    """Iterations of each of Eq. 1's seven loops."""
    return {
        "batch": problem.batch,
        "out_channel": problem.out_channels,
        "row": problem.out_height,
        "column": problem.out_width,
        "in_channel": problem.in_channels,
        "tap_row": problem.kernel_size,
        "tap_column": problem.kernel_size,
    }


def check_grid(problem: Problem, grid: Grid) -> None:
    """Raises ValueError where an axis has more parts than length, naming axis, parts and length."""
    for axis, length in axis_lengths(problem).items():
        parts = getattr(grid, axis)
        if parts > length:
            raise ValueError(
                f"grid.{axis} = {parts} parts, but the problem has only {length} along it: give at most {length}"
            )


def cut(length: int, parts: int, index: int) -> Span:
    """Part `index` of `range(length)` cut into `parts`: sizes differ by at most one, larger parts first."""
    size, larger = divmod(length, parts)
    start = index * size + min(index, larger)
    return Span(start, start + size + (index < larger))


def coordinates(grid: Grid, rank: int) -> tuple[int, ...]:
    """The rank's place along each axis, row-major, batch slowest. Raises ValueError outside the grid."""
    if not 0 <= rank < grid.ranks:
        raise ValueError(f"rank {rank} is outside the grid of {grid.ranks} ranks")
    place: list[int] = []
    for parts in reversed(grid.parts):
        rank, index = divmod(rank, parts)
        place.append(index)
    return tuple(reversed(place))


def block_of(problem: Problem, grid: Grid, rank: int) -> Block:
    """The block that `rank` computes. Raises ValueError if the grid does not fit the problem."""
    check_grid(problem, grid)
    lengths = axis_lengths(problem)
    place = coordinates(grid, rank)
    return Block(*map(cut, lengths.values(), grid.parts, place))


def blocks_of(problem: Problem, grid: Grid) -> list[Block]:
    """The blocks of all ranks, by rank. Raises ValueError if the grid does not fit the problem."""
    check_grid(problem, grid)
    lengths = axis_lengths(problem).values()
    spans = (
        [cut(length, parts, index) for index in range(parts)] for length, parts in zip(lengths, grid.parts, strict=True)
    )
    return [Block(*place) for place in itertools.product(*spans)]


def whole(problem: Problem) -> Block:
    """The block of the entire problem."""
    return block_of(problem, Grid(), 0)


def all_taps(problem: Problem, block: Block) -> Block:
    """The same output block with the whole sum: every input channel and every tap."""
    full = whole(problem)
    return Block(*(getattr(block if axis in OUTPUT_AXES else full, axis) for axis in AXES))


def finisher(grid: Grid, rank: int) -> int:
    """The rank that ends up with the finished sum of this rank's output block: the first of those that share it."""
    return rank - rank % grid.sum_parts


def output_elements(problem: Problem, grid: Grid, rank: int) -> int:
    """Elements of y that this rank finishes: 0 if another rank receives its partial sum."""
    return block_of(problem, grid, rank).y_elements if finisher(grid, rank) == rank else 0


def covers_exactly(problem: Problem, blocks: Iterable[Block]) -> bool:
    """Whether every element of y lies in exactly one of the blocks' outputs."""
    seen: list[Block] = []
    elements = 0
    for block in blocks:
        if any(all(map(Span.intersects, block.y_spans, other.y_spans)) for other in seen):
            return False
        seen.append(block)
        elements += block.y_elements
    inside = all(
        span.start >= 0 and span.stop <= length
        for block in seen
        for span, length in zip(block.y_spans, problem.y_shape, strict=True)
    )
    return inside and elements == problem.y_elements
