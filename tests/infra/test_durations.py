import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.durations import UNITS_S, duration_s


@given(st.integers(0, 10**9 - 1), st.sampled_from(sorted(UNITS_S)))
def test_a_duration_is_a_number_and_its_unit(number, unit):
    assert duration_s(f"{number}{unit}") == number * UNITS_S[unit]


@pytest.mark.parametrize(("text", "seconds"), [("1.5h", 5400), ("0.25d", 21600), ("0s", 0)])
def test_parts_of_a_unit_count(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "4", 4, None, "-4h", "4h30m", ".5h", "1.h", "inf", "1e3s", "4H", "\u0661h"])
def test_anything_else_is_none(text):
    assert duration_s(text) is None
