"""Bids: the front of time against price, what is beaten for certain, and which limits are kept for certain."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.estimates import INTERVAL, RANGE, Estimate
from results.forecast.bid import (
    Bid,
    ChoiceLimits,
    amount,
    beaten,
    cheapest,
    fastest,
    front,
    in_time,
    money,
    paid,
    priced,
)
from results.records.price import PerHour

TIMES = st.floats(1e-3, 1e5)
RATES = st.one_of(st.none(), st.floats(0.0, 500.0))
BIDS = st.lists(st.tuples(TIMES, RATES, RATES), min_size=1, max_size=12)


def bid(total_s: float, per_hour: float | None = 1.0, spot: float | None = None, time: Estimate | None = None) -> Bid:
    return Bid("one", "one", "type", 1, 2, "simd", total_s, "stated figures", PerHour(per_hour, spot), time)


def bounded(low: float, high: float, bounds: str = INTERVAL) -> Bid:
    return bid((low + high) / 2, time=Estimate((low + high) / 2, low, high, bounds, 3))


def no_better(one: Bid, other: Bid, spot: bool) -> bool:
    """Whether `other` beats `one`, from the words: no worse in both, better in one."""
    prices = amount(one, spot), amount(other, spot)
    if None in prices or other.total_s > one.total_s or prices[1] > prices[0]:
        return False
    return other.total_s < one.total_s or prices[1] < prices[0]


@given(BIDS, st.booleans())
def test_the_front_is_what_nothing_beats_and_beats_the_rest(values: list[tuple], spot: bool) -> None:
    found = [bid(*each) for each in values]
    kept = front(found, spot=spot)
    assert kept
    assert not any(no_better(one, other, spot) for one in kept for other in found)
    lost = [each for each in found if each not in kept]
    assert all(any(no_better(one, other, spot) for other in kept) for one in lost)
    assert front(kept, spot=spot) == kept


@given(BIDS, st.floats(0.1, 10.0), st.integers(0, 99))
def test_neither_order_nor_the_unit_of_money_changes_the_front(values: list[tuple], factor: float, seed: int) -> None:
    def kept(of: list[tuple]) -> set[tuple[float, int]]:
        found = [bid(total_s, None if rate is None else rate) for total_s, rate, _ in of]
        return {(each.total_s, found.index(each)) for each in front(found)}

    once = {total_s for total_s, _ in kept(values)}
    mixed = random.Random(seed).sample(values, len(values))  # noqa: S311
    assert {total_s for total_s, _ in kept(mixed)} == once
    # powers of two change no digit of a product
    power = 2.0 ** round(factor)
    scaled = [(total_s, None if rate is None else rate * power, spot) for total_s, rate, spot in values]
    assert kept(scaled) == kept(values)


@given(BIDS)
def test_along_the_front_each_second_saved_costs_more(values: list[tuple]) -> None:
    found = [bid(total_s, 1.0 if rate is None else rate) for total_s, rate, _ in values]
    ordered = sorted(front(found), key=lambda each: (each.total_s, money(each)))
    for one, other in itertools.pairwise(ordered):
        same = one.total_s == other.total_s and amount(one) == amount(other)
        assert same or (one.total_s < other.total_s and money(one) > money(other))


@given(BIDS)
def test_of_forecasts_beaten_is_what_is_not_on_the_front(values: list[tuple]) -> None:
    found = [bid(*each) for each in values]
    kept = front(found)
    for each in found:
        assert beaten(each, found) is (each not in kept)


@given(BIDS, st.floats(1e-3, 1e5), st.floats(1e-6, 1e4))
def test_the_cheapest_in_time_and_the_fastest_for_the_money_keep_the_limits(
    values: list[tuple], deadline_s: float, budget: float
) -> None:
    found, limits = [bid(*each) for each in values], ChoiceLimits(deadline_s, budget)
    best = cheapest(found, limits)
    in_time_ones = [each for each in found if amount(each) is not None and each.total_s <= deadline_s]
    assert (best is None) == (not in_time_ones)
    if best is not None:
        assert best.total_s <= deadline_s
        assert amount(best) == min(amount(each) for each in in_time_ones)
    quick = fastest(found, limits)
    affordable = [each for each in found if amount(each) is not None and priced(each).value <= budget]
    assert (quick is None) == (not affordable)
    if quick is not None:
        assert quick.total_s == min(each.total_s for each in affordable)


@pytest.mark.parametrize(
    ("low", "high", "bounds", "kept"),
    [
        (8.0, 9.0, INTERVAL, True),
        (11.0, 12.0, INTERVAL, False),
        (9.0, 11.0, INTERVAL, None),
        (8.0, 9.0, RANGE, None),
    ],
)
def test_a_limit_is_kept_or_broken_only_where_an_interval_says_so(
    low: float, high: float, bounds: str, kept: bool | None
) -> None:
    one = bounded(low, high, bounds)
    assert in_time(one, ChoiceLimits(deadline_s=10.0)) is kept
    assert paid(one, ChoiceLimits(budget=10.0 / 3600)) is kept


def test_without_limits_all_is_kept_and_without_a_price_no_budget_is() -> None:
    free = bid(1.0, None)
    assert in_time(free, ChoiceLimits()) is True
    assert paid(free, ChoiceLimits()) is True
    assert paid(free, ChoiceLimits(budget=1.0)) is False
    assert priced(free) is None


def test_what_costs_nothing_has_a_price() -> None:
    own = bid(5.0, 0.0)
    assert amount(own) == 0.0
    assert paid(own, ChoiceLimits(budget=0.01)) is True
    assert cheapest([own, bid(1.0, 9.0)], ChoiceLimits()) is own
