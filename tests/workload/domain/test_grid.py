"""The process grid: every loop of Eq. 1 cut into parts that are exact and exhaustive."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.domain.grid import (
    AXES,
    Grid,
    Span,
    all_taps,
    axis_lengths,
    block_of,
    check_grid,
    coordinates,
    covers_exactly,
    cut,
    finisher,
    output_elements,
    whole,
)
from workload.domain.problem import Problem


@st.composite
def problems_and_grids(draw: st.DrawFn, longest: int = 7, most_parts: int = 3) -> tuple[Problem, Grid]:
    """Small problems with grids that fit them, uneven more often than not."""
    size = st.integers(1, longest)
    kernel = draw(st.integers(1, 4))
    problem = Problem(
        draw(size), draw(size), draw(size), kernel + draw(st.integers(0, 6)), kernel + draw(st.integers(0, 6)), kernel
    )
    lengths = axis_lengths(problem)
    return problem, Grid(*(draw(st.integers(1, min(most_parts, lengths[axis]))) for axis in AXES))


@given(st.integers(1, 10_000), st.data())
def test_cut_is_exact_and_even(length: int, data: st.DataObject) -> None:
    parts = data.draw(st.integers(1, length))
    spans = [cut(length, parts, index) for index in range(parts)]
    assert spans[0].start == 0
    assert spans[-1].stop == length
    assert all(one.stop == other.start for one, other in itertools.pairwise(spans))
    assert {len(span) for span in spans} <= {length // parts, length // parts + 1}


@given(problems_and_grids())
def test_every_multiplication_belongs_to_exactly_one_rank(case: tuple[Problem, Grid]) -> None:
    problem, grid = case
    count = np.zeros(tuple(axis_lengths(problem).values()), int)
    for rank in range(grid.ranks):
        block = block_of(problem, grid, rank)
        count[tuple(slice(getattr(block, axis).start, getattr(block, axis).stop) for axis in AXES)] += 1
    assert (count == 1).all()


@given(problems_and_grids())
def test_partial_sums_of_all_ranks_give_the_convolution(case: tuple[Problem, Grid]) -> None:
    """x, w and y of a block fit together by themselves: integers, so that the sums are exact."""
    problem, grid = case
    generator = np.random.default_rng(1)
    x = generator.integers(-9, 10, problem.x_shape)
    w = generator.integers(-9, 10, problem.w_shape)
    y = np.zeros(problem.y_shape, int)
    for rank in range(grid.ranks):
        block = block_of(problem, grid, rank)
        part = tuple(slice(span.start, span.stop) for span in block.y_spans)
        y[part] += correlate(x[index(block.x_spans)], w[index(block.w_spans)])
    assert (y == correlate(x, w)).all()


@given(problems_and_grids())
def test_finishing_ranks_cover_the_output_once(case: tuple[Problem, Grid]) -> None:
    problem, grid = case
    ranks = range(grid.ranks)
    finishing = [rank for rank in ranks if finisher(grid, rank) == rank]
    assert covers_exactly(problem, [block_of(problem, grid, rank) for rank in finishing])
    assert sum(output_elements(problem, grid, rank) for rank in ranks) == problem.y_elements
    for rank in ranks:
        assert block_of(problem, grid, rank).y_spans == block_of(problem, grid, finisher(grid, rank)).y_spans


@given(problems_and_grids())
def test_a_cover_with_a_gap_or_an_overlap_is_none(case: tuple[Problem, Grid]) -> None:
    problem, grid = case
    blocks = [block_of(problem, grid, rank) for rank in range(grid.ranks) if finisher(grid, rank) == rank]
    assert not covers_exactly(problem, blocks[1:])
    assert not covers_exactly(problem, [*blocks, blocks[0]])
    if len(blocks) > 1:  # as many elements as there should be, but one block twice
        assert not covers_exactly(problem, [blocks[0], *blocks[:-1]])


def test_rank_order_is_row_major_batch_slowest() -> None:
    grid = Grid(batch=2, out_channel=3, tap_column=2)
    assert [coordinates(grid, rank)[0] for rank in range(12)] == [0] * 6 + [1] * 6
    assert [coordinates(grid, rank)[6] for rank in range(4)] == [0, 1, 0, 1]


def test_halo_of_rows_and_taps() -> None:
    problem = Problem(1, 1, 1, 10, 10, 3)
    first, second = (block_of(problem, Grid(row=2), rank) for rank in range(2))
    assert (first.x_rows, second.x_rows) == (Span(0, 6), Span(4, 10))
    assert block_of(problem, Grid(tap_row=3), 2).x_rows == Span(2, 10)
    assert all_taps(problem, block_of(problem, Grid(tap_row=3), 2)) == whole(problem)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"batch": 3}, "grid.batch = 3 parts, but the problem has only 2"),
        ({"tap_row": 4}, "grid.tap_row = 4 parts, but the problem has only 3"),
        ({"batch": 0}, "grid.batch = 0 is not a number of parts"),
        ({"row": 1.5}, "grid.row = 1.5 is not a number of parts"),
        ({"depth": 2}, "grid has no axis depth"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused_by_name(grid: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_grid(Problem(2, 3, 3, 8, 8, 3), Grid.from_dict(grid))


def test_a_rank_outside_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="rank 4 is outside the grid of 4 ranks"):
        coordinates(Grid(batch=4), 4)


def index(spans: tuple[Span, ...]) -> tuple[slice, ...]:
    return tuple(slice(span.start, span.stop) for span in spans)


def correlate(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Eq. 1 by sliding windows, exact on integers."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("bchwij,ocij->bohw", windows, w)
