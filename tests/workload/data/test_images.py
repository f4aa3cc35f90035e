"""The batch made from a small pool: any block of it, the same for every cut, no two images equal."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import examples
from workload.data.images import Source, factor, make_weights, open_pool
from workload.domain.grid import AXES, Grid, axis_lengths, block_of, whole
from workload.domain.problem import Problem


def make_pool(pictures: int, problem: Problem) -> np.ndarray:
    shape = (pictures, problem.in_channels, problem.height, problem.width)
    return np.random.default_rng(3).integers(1, 256, shape, dtype=np.uint8)


def expected_image(pool: np.ndarray, image: int) -> np.ndarray:
    """The definition, in the plainest words."""
    pictures, _, height, _ = pool.shape
    turns = 0.6180339887498949 * (image // (pictures * height))
    scale = np.float32((0.5 + turns % 1) / 255)
    return np.roll(pool[image % pictures], (image // pictures) % height, axis=1).astype(np.float32) * scale


@examples(60)
@given(st.data())
def test_any_block_of_any_grid_is_that_part_of_the_whole(data: st.DataObject) -> None:
    kernel = data.draw(st.integers(1, 3))
    height, width = kernel + data.draw(st.integers(0, 90)), kernel + data.draw(st.integers(0, 5))
    problem = Problem(data.draw(st.integers(1, 40)), 2, 2, height, width, kernel)
    pool = make_pool(data.draw(st.integers(1, 3)), problem)
    lengths = axis_lengths(problem)
    grid = Grid(*(data.draw(st.integers(1, min(3, lengths[axis]))) for axis in AXES))
    block = block_of(problem, grid, data.draw(st.integers(0, grid.ranks - 1)))
    x = np.stack([expected_image(pool, image) for image in range(problem.batch)])
    out = np.full(block.x_shape, np.nan, np.float32)
    Source(pool)(block, out)
    assert (out == x[tuple(slice(span.start, span.stop) for span in block.x_spans)]).all()


@pytest.mark.thorough
def test_no_two_of_160_000_tiny_images_are_equal() -> None:
    problem = Problem(160_000, 1, 1, 32, 32, 3)
    pool = make_pool(8, problem)
    seen = set()
    for image in range(problem.batch):
        row = pool[image % 8, 0].astype(np.float32) * factor(image, 8, 32)
        seen.add(np.roll(row, (image // 8) % 32, axis=0).tobytes())
    assert len(seen) == problem.batch


def test_a_block_of_another_shape_is_refused() -> None:
    problem = Problem(2, 1, 1, 4, 4, 1)
    with pytest.raises(ValueError, match=r"out has shape \(1, 1, 4, 4\)"):
        Source(make_pool(1, problem))(whole(problem), np.empty((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize("shape", [(9, 1, 4, 4), (2, 3, 4, 4), (2, 1, 4), (0, 1, 4, 4)])
def test_a_pool_that_does_not_fit_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "pool.npy", np.ones(shape, np.uint8))
    with pytest.raises(ValueError, match="not 1 to 8 uint8 pictures"):
        open_pool(tmp_path / "pool.npy", Problem(2, 1, 1, 4, 4, 1))


def test_a_pool_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        open_pool(tmp_path / "pool.npy", Problem(2, 1, 1, 4, 4, 1))


def test_weights_by_name() -> None:
    problem = Problem(1, 3, 4, 8, 8, 3)
    assert make_weights("identity", problem, 0)[3, 0, 1, 1] == 1  # channel o takes channel o mod C
    assert make_weights("box-blur", problem, 0).sum() == pytest.approx(4)
    assert make_weights("sharpen", problem, 0).sum() == pytest.approx(4)
    assert make_weights("edges", problem, 0).sum() == pytest.approx(0, abs=1e-6)
    one, same, other = (make_weights("random", problem, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    with pytest.raises(ValueError, match="weights 'gauss' are unknown"):
        make_weights("gauss", problem, 0)
    with pytest.raises(ValueError, match="all zero"):
        make_weights("edges", Problem(1, 1, 1, 4, 4, 1), 0)
