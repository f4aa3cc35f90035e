from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.estimates import EXACT, INTERVAL, RANGE, Estimate, one, ratio_estimate, time_estimate

TIMES = st.floats(1e-6, 1e6)
FEW = st.lists(TIMES, min_size=1, max_size=2)
MANY = st.lists(TIMES, min_size=3, max_size=9)
ANY = st.lists(TIMES, min_size=1, max_size=9)


@given(MANY)
def test_time_interval_is_students_over_logarithms(stats: Any, times: list[float]) -> None:
    logs = np.log(times)
    found = time_estimate(times)
    assert found.bounds == INTERVAL
    assert math.isclose(found.value, stats.gmean(times), rel_tol=1e-9)
    if np.std(logs) > 1e-6:
        low, high = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
        assert math.isclose(math.log(found.low), low, rel_tol=1e-6, abs_tol=1e-6)
        assert math.isclose(math.log(found.high), high, rel_tol=1e-6, abs_tol=1e-6)


@given(MANY, MANY)
def test_ratio_interval_is_welchs(stats: Any, numerator: list[float], denominator: list[float]) -> None:
    found = ratio_estimate(numerator, denominator)
    assert found.bounds == INTERVAL
    assert found.launches == min(len(numerator), len(denominator))
    above, below = np.log(numerator), np.log(denominator)
    if min(np.std(above), np.std(below)) > 1e-3:
        expected = stats.ttest_ind(above, below, equal_var=False).confidence_interval(0.95)
        if max(abs(expected.low), abs(expected.high)) < 300:
            assert math.isclose(math.log(found.low), expected.low, rel_tol=1e-6, abs_tol=1e-6)
            assert math.isclose(math.log(found.high), expected.high, rel_tol=1e-6, abs_tol=1e-6)


@given(FEW)
def test_few_launches_give_a_range_and_say_so(times: list[float]) -> None:
    found = time_estimate(times)
    assert (found.bounds, found.low, found.high) == (RANGE, min(times), max(times))


@given(FEW, ANY)
def test_a_ratio_with_a_thin_side_is_a_range_of_all_pairs(few: list[float], other: list[float]) -> None:
    found = ratio_estimate(few, other)
    pairs = [above / below for above in few for below in other]
    assert (found.bounds, found.low, found.high) == (RANGE, min(pairs), max(pairs))


@given(ANY, ANY)
def test_bounds_enclose_the_value(numerator: list[float], denominator: list[float]) -> None:
    for found in (time_estimate(numerator), ratio_estimate(numerator, denominator)):
        assert found.low <= found.value * (1 + 1e-9)
        assert found.value <= found.high * (1 + 1e-9)


@given(ANY, ANY)
def test_the_inverse_ratio_has_inverse_bounds(a: list[float], b: list[float]) -> None:
    forward, backward = ratio_estimate(a, b), ratio_estimate(b, a)
    assert math.isclose(forward.value * backward.value, 1.0, rel_tol=1e-9)
    if forward.low > 1e-200 and forward.high < 1e200:
        assert math.isclose(forward.low * backward.high, 1.0, rel_tol=1e-6)


@given(MANY, st.floats(1e-3, 1e3))
def test_units_do_not_matter(times: list[float], factor: float) -> None:
    plain, scaled = time_estimate(times), time_estimate([factor * time for time in times])
    assert math.isclose(plain.scaled(factor).value, scaled.value, rel_tol=1e-9)
    if plain.high < 1e200 and plain.low > 1e-200:
        assert math.isclose(plain.scaled(factor).high, scaled.high, rel_tol=1e-6)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(7)  # noqa: S311  # noise, not secrets
    trials, covered = 1000, 0
    for _ in range(trials):
        slow = [2.0 * rng.lognormvariate(0.0, 0.3) for _ in range(4)]
        fast = [0.5 * rng.lognormvariate(0.0, 0.05) for _ in range(3)]
        found = ratio_estimate(slow, fast)
        covered += found.low <= 4.0 <= found.high
    assert 0.92 <= covered / trials <= 0.985


def test_equal_times_have_no_width() -> None:
    assert ratio_estimate([2.0] * 3, [1.0] * 3) == Estimate(
        pytest.approx(2.0), pytest.approx(2.0), pytest.approx(2.0), INTERVAL, 3
    )  # type: ignore[arg-type]


def test_a_rate_turns_the_bounds_round() -> None:
    rate = Estimate(2.0, 1.0, 4.0, INTERVAL, 3).inverse(8.0)
    assert (rate.low, rate.value, rate.high) == (2.0, 4.0, 8.0)
    assert one(3) == Estimate(1.0, 1.0, 1.0, EXACT, 3)


@pytest.mark.parametrize("times", [[], [0.0], [-1.0], [float("nan")], [1.0, float("inf")]])
def test_no_time_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no launches|is out of range"):
        time_estimate(times)
    with pytest.raises(ValueError, match=r"no launches|is out of range"):
        ratio_estimate([1.0], times)
