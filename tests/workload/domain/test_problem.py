"""Sizes of a convolution: arithmetic and refusals."""

import pytest

from workload.domain.problem import Problem

PAPER = {"batch": 80, "in_channels": 3, "out_channels": 3, "height": 1024, "width": 1024, "kernel_size": 3}


def test_sizes_of_the_papers_problem() -> None:
    problem = Problem.from_dict(PAPER)
    assert problem.y_shape == (80, 3, 1022, 1022)
    assert problem.x_image_bytes == 12 * 2**20
    assert problem.y_bytes == 80 * 3 * 1022 * 1022 * 4
    assert problem.flops == 2 * 80 * 3 * 1022 * 1022 * 27


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 0}, "batch = 0 is out of range"),
        ({"height": -3}, "height = -3 is out of range"),
        ({"width": 2.0}, "width = 2.0 is not an integer"),
        ({"width": "8"}, "width = '8' is not an integer"),
        ({"in_channels": True}, "in_channels = True is not an integer"),
        ({"batch": 10**12}, "batch = 1000000000000 is out of range"),
        ({"batch": 2**31 - 1}, "more than the"),
        ({"kernel_size": 1025}, "kernel_size = 1025 is larger than the 1024 x 1024 picture"),
        ({"strides": 2}, "unknown keys strides"),
    ],
)
def test_bad_sizes_are_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Problem.from_dict(PAPER | change)


def test_missing_size_is_named() -> None:
    with pytest.raises(ValueError, match="lacks width"):
        Problem.from_dict({name: size for name, size in PAPER.items() if name != "width"})
