"""On a real GPU: the backend's answers, and the movement under MPI. `make test-gpu` runs these alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.mpi.conftest import mpirun  # noqa: F401 - a fixture
from tests.workload.convolve.reference import Case, cases, eq1, rounding_bound
from workload.convolve import cuda
from workload.gpu.driver import missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"this machine has {missing()}")


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_small_convolutions_equal_eq1(case: Case) -> None:
    look_at(case)


@pytest.mark.parametrize(
    ("x_shape", "w_shape"),
    [
        ((8, 3, 1024, 1024), (3, 3, 3, 3)),
        ((4, 16, 256, 256), (16, 16, 3, 3)),
        ((2, 64, 256, 256), (64, 64, 3, 3)),
        ((2, 256, 64, 64), (256, 256, 3, 3)),
        ((4, 3, 300, 301), (10, 3, 11, 7)),
    ],
)
def test_large_ones_do_too(x_shape: tuple[int, int, int, int], w_shape: tuple[int, int, int, int]) -> None:
    look_at(Case(x_shape, w_shape))


def look_at(case: Case) -> None:
    x, w = case.operands()
    y = np.full(case.y_shape, np.nan, np.float32)
    cuda.convolve(x, w, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_movement_gives_the_right_answer_for_every_grid(
    ranks: int,
    mpirun: Callable[..., Any],  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    pool = tmp_path / "pool.npy"
    np.save(pool, np.random.default_rng(1).integers(1, 256, (8, 9, 20, 19), dtype=np.uint8))
    found = mpirun(ranks, "gpus.py", pool, tmp_path, 0, "sound")
    assert not found["wrong"]
    for measurement in found["kept"]:
        for repeat in measurement["repeats"]:
            for rank in repeat["ranks"]:
                device_s = rank["device_s"]
                assert 0.0 < device_s["convolve"] <= device_s["total"] <= rank["app_s"]


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_probe_measures_it(
    ranks: int,
    mpirun: Callable[..., Any],  # noqa: F811 - the fixture
) -> None:
    (node,) = mpirun(ranks, "probing.py", 0, "sound")["nodes"]
    gpus = node["gpus"]
    assert gpus["count"] >= len(gpus["devices"]) == min(ranks, gpus["count"])
    for kind in ("to_device", "to_host", "both", "copy", "multiply_add", "launch"):
        assert gpus[kind]
        for figure in gpus[kind]:
            assert min(figure["samples_s"]) > 0.0
