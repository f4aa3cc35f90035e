"""y on disk: one file that every rank writes its parts of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.marks import thorough


@pytest.mark.parametrize("ranks", [1, thorough(3), thorough(5)])
def test_saved_output_is_the_convolution(ranks: int, mpirun: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, (8, 3, 40, 37), dtype=np.uint8))
    assert mpirun(ranks, "saving.py", tmp_path / "pool.npy") == []


def test_a_folder_that_a_rank_does_not_see_is_named(mpirun: Callable[..., Any], tmp_path: Path) -> None:
    told = mpirun(3, "not_shared.py", tmp_path / "here")
    assert [("save = false" in each, "rank 1" in each) for each in told] == [
        (False, False),
        (True, True),
        (False, False),
    ]
