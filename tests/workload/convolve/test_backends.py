"""What every backend promises: Eq. 1 within rounding, for any shape and layout, and nothing written beside y."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given

from tests.marks import examples
from tests.workload.convolve.reference import Case, Layout, cases, eq1, rounding_bound
from tests.workload.gpu.played import COMPILER, NO_COMPILER, played_gpus
from workload.convolve import load
from workload.domain.backends import describe, names

BLOCK_OF_COLUMNS = Layout(gaps=(0, 0, 0, 5))
every_backend = pytest.mark.parametrize("name", names())


@pytest.fixture(autouse=True)
def _a_gpu(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A CPU plays the GPU of those that need one."""
    if not describe(name).on_gpu:
        yield
        return
    if COMPILER is None:
        pytest.skip(NO_COMPILER)
    with played_gpus(1, tmp_path_factory.mktemp("gpu")):
        yield


@every_backend
@examples(60)
@given(case=cases())
@example(case=Case((2, 3, 9, 33), (3, 3, 3, 3)))
@example(case=Case((1, 1, 7, 7), (1, 1, 7, 7)))  # K = H
@example(case=Case((2, 1, 5, 40), (4, 1, 1, 1)))  # K = 1
@example(case=Case((1, 2, 9, 30), (3, 2, 5, 2), BLOCK_OF_COLUMNS, BLOCK_OF_COLUMNS))  # KH != KW
@example(case=Case((1, 64, 8, 20), (64, 64, 3, 3)))
@example(case=Case((3, 1, 32, 32), (1, 1, 3, 3)))
@example(case=Case((1, 1, 1, 1), (1, 1, 1, 1)))
def test_equals_eq1_within_rounding(name: str, case: Case) -> None:
    x, w = case.operands()
    y, buffer = case.y_layout.view(case.y_shape, np.nan)
    load(name).convolve(x, w, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()  # false for NaN: an element that was read or left out
    y[...] = np.nan
    assert np.isnan(buffer).all(), "wrote beside y"


@every_backend
def test_weights_may_lie_anyhow(name: str) -> None:
    x, w = Case((2, 3, 8, 30), (5, 3, 3, 2)).operands()
    y = np.empty((2, 5, 6, 29), np.float32)
    scattered = np.ascontiguousarray(w.T).T
    load(name).convolve(x, scattered, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()


@every_backend
def test_inputs_stay_as_they_are(name: str) -> None:
    x, w = Case((2, 3, 8, 30), (5, 3, 3, 2)).operands()
    x.flags.writeable = w.flags.writeable = False
    before = x.copy(), w.copy()
    load(name).convolve(x, w, np.empty((2, 5, 6, 29), np.float32))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])


@every_backend
def test_compiles_ahead(name: str) -> None:
    backend = load(name)
    backend.compile((2, 3, 8, 30), (5, 3, 3, 3))
    backend.compile((2, 3, 8, 30), (5, 3, 3, 3))


X, W, Y = (2, 3, 8, 9), (4, 3, 3, 2), (2, 4, 6, 8)


@every_backend
@pytest.mark.parametrize(
    ("x", "w", "y", "message"),
    [
        (np.zeros(X), np.zeros(W, np.float32), np.zeros(Y, np.float32), "x is float64"),
        (np.zeros(X, np.float32), np.zeros(W[1:], np.float32), np.zeros(Y, np.float32), "w is float32 of shape"),
        (np.zeros(X, np.float32), np.zeros((4, 2, 3, 2), np.float32), np.zeros(Y, np.float32), "x has 3 channels"),
        (
            np.zeros(X, np.float32),
            np.zeros((4, 3, 9, 2), np.float32),
            np.zeros(Y, np.float32),
            "9 x 2 kernel is larger",
        ),
        (np.zeros(X, np.float32), np.zeros(W, np.float32), np.zeros((2, 4, 6, 7), np.float32), "y has shape"),
        (np.zeros((0, 3, 8, 9), np.float32), np.zeros(W, np.float32), np.zeros(Y, np.float32), "at least one element"),
        (
            np.zeros((2, 3, 8, 18), np.float32)[..., ::2],
            np.zeros(W, np.float32),
            np.zeros(Y, np.float32),
            "x has a stride",
        ),
        (
            np.zeros(X, np.float32),
            np.zeros(W, np.float32),
            np.zeros((2, 4, 6, 16), np.float32)[..., ::2],
            "y has a stride",
        ),
        (np.zeros(X, np.float32), np.zeros(W, np.float32), np.broadcast_to(np.float32(0), Y), "y has a stride"),
        ([[1.0]], np.zeros(W, np.float32), np.zeros(Y, np.float32), "x is list"),
    ],
)
def test_refuses_wrong_arrays(name: str, x: np.ndarray, w: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name).convolve(x, w, y)


@every_backend
def test_refuses_a_read_only_y(name: str) -> None:
    y = np.zeros(Y, np.float32)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="y is read-only"):
        load(name).convolve(np.zeros(X, np.float32), np.zeros(W, np.float32), y)
