"""The check that all ranks share: a wrong value is found wherever it lies, whoever looks at it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.marks import thorough


@pytest.mark.parametrize("ranks", [1, thorough(2), 3, thorough(5)])
def test_a_wrong_value_anywhere_is_found(ranks: int, mpirun: Callable[..., Any]) -> None:
    found = mpirun(ranks, "damaged.py")
    assert len(found) == 8
    for case in found:
        assert [passed for passed, _ in case["honest"]] == [True, True]
        assert len({rows for _, rows in case["honest"]}) == 1
        assert case["missed"] == []
        assert case["lost"] is False
        assert case["twice"] is False
