"""The ranks find out together by which stores y is written faster, off the clock, or do as they are told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.marks import thorough


@pytest.mark.parametrize("ranks", [1, thorough(3)])
def test_stores_are_found_out_or_told(ranks: int, mpirun: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, (8, 3, 12, 200), dtype=np.uint8))
    found = mpirun(ranks, "stores.py", tmp_path / "pool.npy")
    assert len(found) >= 7
    for stores, as_told, passed, same_calls, warmups in found:
        assert set(stores["convolve_s"]) == {"ordinary", "non-temporal"}
        assert min(stores["convolve_s"].values()) > 0
        assert stores["taken"] == "ordinary" or stores["convolve_s"]["non-temporal"] < stores["convolve_s"]["ordinary"]
        assert as_told
        assert passed
        assert same_calls  # what was tried left no trace in what is timed
        assert warmups == 1
