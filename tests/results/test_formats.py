from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.estimates import EXACT, INTERVAL, RANGE, Estimate
from results.formats import estimate, mib, number, plural, shape, slug


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0.0, "0"), (0.012345, "0.01235"), (1234.4, "1234"), (44.019, "44.02"), (1e-7, "1.000e-07"),
     (1.5e9, "1.500e+09")],
)  # fmt: skip
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(1e-12, 1e12))
def test_number_keeps_four_digits(value: float) -> None:
    assert abs(float(number(value)) - value) <= 0.51e-3 * value


def test_an_interval_and_a_range_look_different() -> None:
    assert estimate(Estimate(2.0, 1.5, 2.5, INTERVAL, 3), 3) == "2.00 [1.50, 2.50]"
    assert estimate(Estimate(2.0, 1.5, 2.5, RANGE, 2), 3) == "2.00 (1.50 to 2.50)"
    assert estimate(Estimate(1.0, 1.0, 1.0, EXACT, 2), 3) == "1.00"
    assert estimate(Estimate(2.0, 2.0, 2.0, RANGE, 1), 3) == "2.00 (one launch)"
    assert estimate(None) == "—"


def test_units_and_words() -> None:
    assert mib(2**20 * 12) == "12.00"
    assert shape((1, 2)) == "(1, 2)"
    assert (plural(1, "run"), plural(0, "run")) == ("1 run", "0 runs")


@given(st.text(max_size=200))
def test_a_slug_is_a_safe_file_name(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,60}", slug(text))
