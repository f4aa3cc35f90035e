"""Which stores are chosen, from times and caches. On ranks: tests/mpi/test_stores.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.stores import GAIN, faster, worth_trying

L2, L3 = {"bytes": 2**20, "threads": 2}, {"bytes": 2**25, "threads": 16}


def test_the_shorter_median_wins_whatever_one_turn_took() -> None:
    turns = np.array([[1.0, 0.9]] * 6 + [[1.0, 9.0]])
    assert faster(["ordinary", "non-temporal"], turns) == ("non-temporal", {"ordinary": 1.0, "non-temporal": 0.9})
    assert faster(["ordinary", "non-temporal"], turns[:, ::-1])[0] == "ordinary"


def test_one_that_loses_several_turns_is_not_taken() -> None:
    turns = np.array([[1.0, 0.5]] * 5 + [[1.0, 1.1]] * 2)
    assert faster(["ordinary", "non-temporal"], turns)[0] == "ordinary"


@given(st.floats(1e-6, 1e3), st.floats(0, 2 * GAIN))
def test_what_saves_no_more_than_noise_leaves_the_first(seconds: float, saved: float) -> None:
    turns = np.array([[seconds, seconds * (1 - saved)]] * 5)
    right = "ordinary" if saved < GAIN else "non-temporal"
    if abs(saved - GAIN) > 1e-9:
        assert faster(["ordinary", "non-temporal"], turns)[0] == right


@pytest.mark.parametrize(
    ("caches", "ranks", "y_bytes", "tried"),
    [
        ([L2, L3], 1, 2**25, False),  # all of the largest cache is the only rank's
        ([L2, L3], 1, 2**25 + 4, True),
        ([L2, L3], 8, 2**22 + 4, True),
        ([L2, L3], 64, 2**21, False),  # 16 of them share a cache
        ([], 1, 4, True),  # nothing is known
    ],
)
def test_y_that_stays_in_a_ranks_share_of_the_cache_is_left_alone(
    caches: list[dict[str, int]], ranks: int, y_bytes: int, tried: bool
) -> None:
    assert worth_trying(caches, ranks, y_bytes) is tried
