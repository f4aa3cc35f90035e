"""Expected sums and tolerances, by pictures, against the formulas of docs/formats.md written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import examples
from workload.data import expectation
from workload.data.expectation import Expectation
from workload.data.images import Source, factor, make_weights
from workload.domain.grid import Grid, block_of, whole
from workload.domain.problem import Problem


def written_out(problem: Problem, w: np.ndarray, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """e and the tolerance of every row of y whose columns have the factors u, (B, O, rows)."""
    size, width = problem.kernel_size, len(u)
    sums, certain, likely = (np.zeros((len(x), len(w), x.shape[2] - size + 1)) for _ in range(3))
    for i in range(size):
        for j in range(size):
            window = x[:, :, i : i + sums.shape[2], j : j + width]
            moments = window @ u, np.abs(window) @ np.abs(u), np.sqrt(window**2 @ u**2)
            weights = w[:, :, i, j].astype(np.float64), *[np.abs(w[:, :, i, j].astype(np.float64))] * 2
            for total, weight, moment in zip((sums, certain, likely), weights, moments, strict=True):
                total[...] = total + np.einsum("oc,bch->boh", weight, moment)
    gamma = (problem.in_channels * size * size + 3) * 2.0**-24
    return sums, gamma * np.minimum(certain, 8 * likely)


@examples(40)
@given(st.data())
def test_any_part_of_y_is_expected_as_the_formulas_say(data: st.DataObject) -> None:
    kernel, size = data.draw(st.integers(1, 4)), st.integers(1, 7)
    batch, channels, filters = data.draw(st.integers(1, 30)), data.draw(size), data.draw(size)
    problem = Problem(batch, channels, filters, kernel + data.draw(size), kernel + data.draw(size), kernel)
    grid = Grid(*(data.draw(st.integers(1, min(3, length))) for length in problem.y_shape))
    block = block_of(problem, grid, data.draw(st.integers(0, grid.ranks - 1)))
    pool = np.random.default_rng(3).integers(1, 256, (3, *problem.x_shape[1:]), dtype=np.uint8)
    w = make_weights("random", problem, 5)
    expected = Expectation(problem, w, Source(pool), 9)
    found = expected.rows([block])[block]

    x = np.stack([
        np.roll(pool[image % 3], image // 3 % problem.height, axis=1) * float(factor(image, 3, problem.height))
        for image in range(batch)
    ])  # fmt: skip
    part = x[tuple(slice(span.start, span.stop) for span in block.x_spans)]
    channels_of = slice(block.out_channel.start, block.out_channel.stop)
    sums, tolerance = written_out(problem, w[channels_of], part, expected.u[block.column.start : block.column.stop])
    np.testing.assert_allclose(found.sums, sums, rtol=1e-12, atol=1e-12)
    assert (found.tolerance >= tolerance * (1 - 1e-12)).all()
    assert (found.tolerance <= tolerance * (1 + 1e-6)).all()


def test_how_many_lines_are_summed_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(11, 2, 3, 9, 8, 3)
    pool = np.random.default_rng(3).integers(1, 256, (3, *problem.x_shape[1:]), dtype=np.uint8)
    usual, found = (Expectation(problem, make_weights("random", problem, 5), Source(pool), 9) for _ in range(2))
    usual_rows = usual.rows([whole(problem)])[whole(problem)]
    monkeypatch.setattr(expectation, "TILE_ELEMENTS", 20)
    rows = found.rows([whole(problem)])[whole(problem)]
    for array, usual_array in zip(rows.arrays, usual_rows.arrays, strict=True):
        np.testing.assert_allclose(array, usual_array, rtol=1e-12, atol=1e-12)
