"""Bids: ways to have the same work done, each with its time and what its nodes cost meanwhile. Pure.

A bid is in time, or paid for, where its bounds say so: True, False, or None where they leave it open. A range of a few
launches leaves everything open; a forecast without an interval is taken at its word, and stands as a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.estimates import EXACT, RANGE, Estimate
from results.forecast.convolution.model import cost
from results.records.point import TOTAL, RecordedPoint, ratio_of
from results.records.price import PerHour


@dataclass(frozen=True, eq=False)
class Bid:
    """So many ranks on so many nodes of a cluster. Each equals itself alone.

    `name`: of the sweep that measured it, or of the cluster. `time`: the total time in seconds with its bounds, None of
    a forecast without an interval. `point`: what was measured, None of a forecast. `foretold_s`: what was forecast of a
    measured one before it ran.
    """

    name: str
    cluster: str
    machine_type: str
    nodes: int
    ranks: int
    how: str
    total_s: float
    basis: str
    per_hour: PerHour
    time: Estimate | None = None
    point: RecordedPoint | None = None
    foretold_s: float | None = None

    @property
    def measured(self) -> bool:
        return self.point is not None

    @property
    def bounded_time(self) -> Estimate:
        """The time; of a forecast without an interval, itself."""
        return self.time or Estimate(self.total_s, self.total_s, self.total_s, EXACT, 0)


@dataclass(frozen=True)
class ChoiceLimits:
    """What a person asks of a run: to be over within so many seconds, to cost no more than so much."""

    deadline_s: float | None = None
    budget: float | None = None

    @property
    def asked(self) -> bool:
        return self.deadline_s is not None or self.budget is not None


@dataclass(frozen=True)
class Choice:
    """Bids for the same work, fastest first; `work` is what one is of, a repeat or a run.

    `notes` say what was compared, at which prices; `stopped` are lines about what made no bid, and why. `problem` says
    which work it is, where there are choices for several beside it.
    """

    title: str
    work: str
    bids: Sequence[Bid]
    currency: str
    notes: Sequence[str] = ()
    stopped: Sequence[str] = ()
    problem: str = ""

    @property
    def certain(self) -> Sequence[Bid]:
        """Those that answers rest on: what was measured, or the forecasts where nothing was."""
        return [bid for bid in self.bids if bid.measured] or self.bids


def front(found: Sequence[Bid], *, spot: bool = False) -> list[Bid]:
    """Those that no other beats by its values in time and price both; one without a price is never beaten in price."""
    return [bid for bid in found if not any(_beats(other, bid, spot) for other in found)]


def beaten(bid: Bid, found: Sequence[Bid]) -> bool | None:
    """Whether another is no slower and no dearer, and one of both less; None where the bounds leave it open.

    What was measured is held against measurements alone.
    """
    open_ = False
    for other in found:
        if other is bid or None in {amount(bid), amount(other)} or (bid.measured and not other.measured):
            continue
        ratio = worse(other, bid)
        if ratio.bounds == EXACT:
            if _beats(other, bid, spot=False):
                return True
        elif ratio.bounds != RANGE and ratio.high < 1.0:
            return True
        else:
            open_ = open_ or not ratio.excludes(1.0)
    return None if open_ else False


def worse(one: Bid, other: Bid) -> Estimate:
    """The larger of two ratios, of their times and of their prices: below 1 where `one` is better in both.

    Raises ValueError for bids without prices.
    """
    ratio, price_ratio = time_ratio(one, other), _price_ratio(one, other)
    return ratio.scaled(max(1.0, price_ratio))


def time_ratio(one: Bid, other: Bid) -> Estimate:
    """Of two forecasts exact, as they say; of a forecast and a measurement a range: nothing can be claimed of it."""
    if one.point is not None and other.point is not None:
        return ratio_of(one.point, other.point, TOTAL)
    ratio = one.total_s / other.total_s
    return Estimate(ratio, ratio, ratio, RANGE if one.measured or other.measured else EXACT, 0)


def cost_ratio(one: Bid, other: Bid) -> Estimate:
    """Of what they cost on demand. Raises ValueError for bids without prices."""
    return time_ratio(one, other).scaled(_price_ratio(one, other))


def cheapest(found: Sequence[Bid], limits: ChoiceLimits, *, spot: bool = False) -> Bid | None:
    """The cheapest that is certain to be in time; None where none with a price is."""
    possible = [bid for bid in found if amount(bid, spot) is not None and in_time(bid, limits)]
    return min(possible, key=lambda bid: money(bid, spot), default=None)


def fastest(found: Sequence[Bid], limits: ChoiceLimits) -> Bid | None:
    """The fastest that the budget is certain to pay for; without a budget the fastest of all."""
    return min((bid for bid in found if paid(bid, limits)), key=lambda bid: bid.total_s, default=None)


def in_time(bid: Bid, limits: ChoiceLimits) -> bool | None:
    """Whether the deadline is kept; True without one."""
    return True if limits.deadline_s is None else _below(bid.bounded_time, limits.deadline_s)


def paid(bid: Bid, limits: ChoiceLimits) -> bool | None:
    """Whether the budget is kept on demand; True without one, False without a price."""
    if limits.budget is None:
        return True
    found = priced(bid)
    return False if found is None else _below(found, limits.budget)


def amount(bid: Bid, spot: bool = False) -> float | None:
    """What it costs on demand, or as spot machines; None where that is not known."""
    found = priced(bid, spot=spot)
    return None if found is None else found.value


def priced(bid: Bid, *, spot: bool = False) -> Estimate | None:
    """The same with the bounds of its time."""
    per_hour = bid.per_hour.spot if spot else bid.per_hour.on_demand
    if per_hour is None:
        return None
    if per_hour == 0.0:
        return Estimate(0.0, 0.0, 0.0, EXACT, 0)
    return bid.bounded_time.scaled(cost(1.0, per_hour))


def money(bid: Bid, spot: bool = False) -> tuple[float, float]:
    """By price, then by time; those without a price last."""
    price = amount(bid, spot)
    return (float("inf") if price is None else price), bid.total_s


def _price_ratio(one: Bid, other: Bid) -> float:
    above, below = one.per_hour.on_demand, other.per_hour.on_demand
    if above is None or below is None:
        raise ValueError("a bid without a price has no ratio of prices")
    if below == 0.0:
        return 1.0 if above == 0.0 else float("inf")
    return above / below


def _below(value: Estimate, limit: float) -> bool | None:
    if value.bounds == RANGE or value.low <= limit < value.high:
        return None
    return value.high <= limit


def _beats(one: Bid, other: Bid, spot: bool) -> bool:
    price, others = amount(one, spot), amount(other, spot)
    if price is None or others is None:
        return False
    no_worse = one.total_s <= other.total_s and price <= others
    return no_worse and (one.total_s < other.total_s or price < others)
