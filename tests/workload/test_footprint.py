"""Predicted bytes: the arrays exact, the rest added."""

import pytest

from workload.footprint import baseline_bytes, predict
from workload.grid import Grid
from workload.problem import Problem

PAPER = Problem(160, 3, 3, 1024, 1024, 3)


def test_the_papers_killed_case_needs_8_gb_of_arrays() -> None:
    """Weak scaling, 16 ranks: 16 blocks of 10 images and the whole batch at the root."""
    found = predict(PAPER, Grid(batch=16), "scatter-gather")
    arrays = sum(found.peak_bytes) - baseline_bytes(PAPER, 160) - 15 * baseline_bytes(PAPER, 0)
    assert arrays == 2 * (PAPER.x_bytes + PAPER.y_bytes) + 16 * PAPER.w_bytes
    assert 7.9e9 < arrays < 8.1e9
    assert found.moved_bytes == 15 * (10 * (PAPER.x_image_bytes + PAPER.y_image_bytes) + PAPER.w_bytes)


def test_one_rank_moves_nothing() -> None:
    assert predict(PAPER, Grid(), "serial").moved_bytes == 0
    assert predict(PAPER, Grid(), "scatter-gather").moved_bytes == 0


def test_an_unknown_movement_is_refused() -> None:
    with pytest.raises(ValueError, match="'pigeon' is unknown"):
        predict(PAPER, Grid(), "pigeon")
