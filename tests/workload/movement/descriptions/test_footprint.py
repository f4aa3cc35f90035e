"""Predicted bytes: the arrays exact, the rest added. Measured beside predicted: tests/mpi/test_memory.py."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import examples
from workload.domain.grid import Grid, axis_lengths, block_of
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import choose_grid, predict

PAPER = Problem(160, 3, 3, 1024, 1024, 3)
MOVEMENTS = ("scatter-gather", "tree", "pipeline", "shared", "distributed")


def test_the_papers_killed_case_needs_8_gb_of_arrays() -> None:
    """Weak scaling, 16 ranks: 16 blocks of 10 images and the whole batch at the root."""
    found = predict(PAPER, Grid(batch=16), "scatter-gather")
    assert 7.9e9 < sum(found.array_bytes) < 8.1e9
    assert found.moved_bytes == 15 * (10 * (PAPER.x_image_bytes + PAPER.y_image_bytes) + PAPER.w_bytes)


def test_in_place_the_root_holds_its_part_once() -> None:
    alone = predict(PAPER, Grid(), "scatter-gather", {"in_place": True})
    assert alone.array_bytes[0] == PAPER.x_bytes + PAPER.y_bytes + 3 * PAPER.w_bytes
    for grid, kept in ((Grid(batch=16), 0), (Grid(in_channel=3), 1)):  # partial sums have a buffer of their own
        plain, found = (predict(PAPER, grid, "scatter-gather", options) for options in ({}, {"in_place": True}))
        own = block_of(PAPER, grid, 0)
        assert plain.array_bytes[0] - found.array_bytes[0] == own.x_bytes + (0 if kept else own.y_bytes)
        assert plain.array_bytes[1:] == found.array_bytes[1:]
        assert plain.moved_bytes == found.moved_bytes


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_one_rank_moves_nothing(movement: str) -> None:
    assert predict(PAPER, Grid(), movement).moved_bytes == 0


def test_shared_and_distributed_move_no_pictures_inside_a_node() -> None:
    for movement in ("shared", "distributed"):
        assert predict(PAPER, Grid(batch=16), movement).moved_bytes == 15 * PAPER.w_bytes
    assert predict(PAPER, Grid(batch=16), "shared", ranks_per_node=8).moved_bytes > PAPER.x_bytes // 2


def test_the_pipelines_root_does_not_grow_with_the_batch() -> None:
    peaks = [
        predict(Problem(batch, 3, 3, 1024, 1024, 3), Grid(batch=2), "pipeline").array_bytes[0] for batch in (40, 320)
    ]
    assert peaks[1] <= 1.1 * peaks[0]


def test_in_a_window_the_pipeline_moves_nothing_within_a_node_and_holds_less() -> None:
    paper, grid = Problem(80, 3, 3, 1024, 1024, 3), Grid(batch=4)
    plain, found = (predict(paper, grid, "pipeline", options) for options in ({}, {"in_window": True}))
    assert found.moved_bytes == 3 * paper.w_bytes
    own = paper.x_image_bytes + paper.y_image_bytes + 3 * paper.w_bytes
    assert found.array_bytes[0] == own + 3 * 2 * paper.x_image_bytes < plain.array_bytes[0]
    assert found.window_bytes[1:] == (0, 0, 0)
    image = paper.x_image_bytes + paper.y_image_bytes
    assert found.window_bytes[0] == 3 * 2 * image, "two slots of an image for each rank but the root"
    assert found.array_bytes[1] == plain.array_bytes[1]


def test_in_windows_of_two_nodes_the_leader_holds_what_its_node_does() -> None:
    paper, grid = Problem(80, 3, 3, 1024, 1024, 3), Grid(batch=4)
    two = predict(paper, grid, "pipeline", {"in_window": True}, ranks_per_node=2)
    image = paper.x_image_bytes + paper.y_image_bytes
    assert two.window_bytes == (2 * image, 0, 4 * image, 0)
    assert two.moved_bytes == 3 * paper.w_bytes + 40 * image
    assert two.array_bytes[2] - two.array_bytes[3] == 2 * image
    alone = predict(paper, grid, "pipeline", {"in_window": True}, ranks_per_node=1)
    assert set(alone.window_bytes) == {0}, "a rank alone shares nothing"


def test_a_single_step_has_one_slot() -> None:
    small = Problem(4, 3, 3, 64, 64, 3)
    found = predict(small, Grid(batch=4), "pipeline", {"in_window": True})
    assert found.window_bytes[0] == 3 * (small.x_image_bytes + small.y_image_bytes)


def test_distributed_falls_as_one_over_n() -> None:
    one = predict(Problem(80, 3, 3, 1024, 1024, 3), Grid(), "distributed").array_bytes[0]
    for ranks in (2, 4, 8):
        found = predict(Problem(80, 3, 3, 1024, 1024, 3), Grid(batch=ranks), "distributed").array_bytes
        assert max(found) == pytest.approx(one / ranks, rel=0.01)


def test_a_tree_sends_fewer_bytes_twice_only_between_nodes() -> None:
    flat = predict(PAPER, Grid(batch=8), "tree").moved_bytes
    assert flat == predict(PAPER, Grid(batch=8), "scatter-gather").moved_bytes
    assert predict(PAPER, Grid(batch=8), "tree", ranks_per_node=1).moved_bytes > flat


def test_an_unknown_movement_is_refused() -> None:
    with pytest.raises(ValueError, match="'pigeon' is unknown"):
        predict(PAPER, Grid(), "pigeon")


@examples(40)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 12), st.sampled_from(MOVEMENTS))
def test_the_chosen_grid_costs_least(ranks: int, batch: int, channels: int, movement: str) -> None:
    problem = Problem(batch, channels, 4, 12, 12, 3)

    def cost(grid: Grid) -> int:
        blocks = [block_of(problem, grid, rank) for rank in range(ranks)]
        largest = max(block.x_bytes + block.y_bytes + 4 * math.prod(block.w_shape) for block in blocks)
        return largest + predict(problem, grid, movement).moved_bytes

    lengths = list(axis_lengths(problem).values())
    every = itertools.product(*([parts for parts in range(1, length + 1) if ranks % parts == 0] for length in lengths))
    costs = [cost(Grid(*parts)) for parts in every if math.prod(parts) == ranks]
    if costs:
        assert cost(choose_grid(problem, ranks, movement)) == min(costs)
    else:
        with pytest.raises(ValueError, match=f"no grid of {ranks} parts fits"):
            choose_grid(problem, ranks, movement)


def test_the_papers_problem_is_cut_by_the_batch() -> None:
    assert choose_grid(PAPER, 16, "scatter-gather") == Grid(batch=16)


def test_a_single_picture_is_cut_otherwise() -> None:
    assert choose_grid(Problem(1, 3, 3, 1024, 1024, 3), 4, "scatter-gather").batch == 1
    with pytest.raises(ValueError, match="no grid of 7 parts fits"):
        choose_grid(Problem(1, 1, 1, 3, 3, 3), 7, "scatter-gather")
