"""Which of several clusters to take for the same work, by their forecasts: the cheapest in time, the fastest for money.

Pure. Clusters are compared by the total time of one repeat, and by what the nodes that work in it cost meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.forecast import outlook
from results.forecast.predict import ForecastRow, Terms


@dataclass(frozen=True)
class ClusterForecast:
    """What was forecast of one cluster; `machine_type` is empty where it is not known.

    `spot_share` is the price of a spot machine over that on demand, None where nobody has stated both.
    """

    cluster: str
    machine_type: str
    rows: Sequence[ForecastRow]
    terms: Terms
    spot_share: float | None = None


@dataclass(frozen=True, eq=False)
class Bid:
    """One way to do the work: a cluster with so many ranks. Each equals itself alone."""

    of: ClusterForecast
    row: ForecastRow

    @property
    def total_s(self) -> float:
        return self.row.found.total_s

    @property
    def price(self) -> float | None:
        return self.row.price

    @property
    def spot_price(self) -> float | None:
        share = self.of.spot_share
        return None if share is None or self.price is None else self.price * share


@dataclass(frozen=True)
class ChoiceLimits:
    """What a person asks of a repeat: to be over within so many seconds, to cost no more than so much."""

    deadline_s: float | None = None
    budget: float | None = None


def bids(found: Sequence[ClusterForecast]) -> list[Bid]:
    """Of each cluster the fastest way to do the work and the cheapest, once where they are the same, fastest first."""
    chosen: list[Bid] = []
    for cluster in found:
        possible = [Bid(cluster, row) for row in cluster.rows if outlook.fits(row, cluster.terms)]
        if possible:
            best = [min(possible, key=lambda bid: bid.total_s)]
            if any(bid.price is not None for bid in possible):
                best.append(min(possible, key=_money))
            chosen += dict.fromkeys(best)
    return sorted(chosen, key=lambda bid: bid.total_s)


def front(found: Sequence[Bid]) -> list[Bid]:
    """Those that no other beats in time and in price both; one without a price is never beaten in price."""
    return [bid for bid in found if not any(_beats(other, bid) for other in found)]


def cheapest(found: Sequence[Bid], limits: ChoiceLimits) -> Bid | None:
    """The cheapest that is in time; None where none with a price is."""
    possible = [bid for bid in found if bid.price is not None and in_time(bid, limits)]
    return min(possible, key=_money, default=None)


def fastest(found: Sequence[Bid], limits: ChoiceLimits) -> Bid | None:
    """The fastest that the budget pays for; without a budget the fastest of all."""
    return min((bid for bid in found if paid(bid, limits)), key=lambda bid: bid.total_s, default=None)


def in_time(bid: Bid, limits: ChoiceLimits) -> bool:
    """Whether the deadline is kept; True without one."""
    return limits.deadline_s is None or bid.total_s <= limits.deadline_s


def paid(bid: Bid, limits: ChoiceLimits) -> bool:
    """Whether the budget is kept; True without one, never without a price."""
    return limits.budget is None or (bid.price is not None and bid.price <= limits.budget)


def _money(bid: Bid) -> tuple[float, float]:
    """By price, then by time; those without a price last."""
    return (float("inf") if bid.price is None else bid.price), bid.total_s


def _beats(one: Bid, other: Bid) -> bool:
    if one.price is None or other.price is None:
        return False
    no_worse = one.total_s <= other.total_s and one.price <= other.price
    return no_worse and (one.total_s < other.total_s or one.price < other.price)
