"""Predicted bytes: the arrays exact, the rest added. Measured beside predicted: tests/mpi/test_memory.py."""

import pytest

from workload.footprint import predict
from workload.grid import Grid
from workload.problem import Problem

PAPER = Problem(160, 3, 3, 1024, 1024, 3)
MOVEMENTS = ("scatter-gather", "tree", "pipeline", "shared", "distributed")


def test_the_papers_killed_case_needs_8_gb_of_arrays() -> None:
    """Weak scaling, 16 ranks: 16 blocks of 10 images and the whole batch at the root."""
    found = predict(PAPER, Grid(batch=16), "scatter-gather")
    assert 7.9e9 < sum(found.array_bytes) < 8.1e9
    assert found.moved_bytes == 15 * (10 * (PAPER.x_image_bytes + PAPER.y_image_bytes) + PAPER.w_bytes)


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
