"""Which machines to take, by the forecasts of several clusters: time and price of each at its best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.forecast.choice import Bid, ChoiceLimits, ClusterForecast, bids, cheapest, fastest, front, in_time, paid
from results.formats import number, plural
from results.table import Column, Table, build, numeric, plain


def table(found: Sequence[ClusterForecast], limits: ChoiceLimits) -> Table:
    """Two rows at most of a cluster, the fastest first; the notes have the answer."""
    rows = bids(found)
    best = front(rows)
    currency = _currency(found)
    chosen: list[Column[Bid]] = [
        plain("Cluster", "cluster", lambda bid: bid.of.cluster),
        plain("Machine type", "machine_type", lambda bid: bid.of.machine_type),
        plain("Nodes", "nodes", lambda bid: bid.row.asked.nodes),
        plain("Ranks", "ranks", lambda bid: bid.row.asked.case.ranks),
        plain("How", "variant", lambda bid: bid.row.asked.case.variant.phrase),
        numeric("A repeat (s)", "total_s", lambda bid: bid.total_s, 3),
        numeric(f"On demand ({currency})", "price", lambda bid: bid.price, 3),
        numeric(f"Spot ({currency})", "spot_price", lambda bid: bid.spot_price, 3),
        plain("Beaten", "beaten", lambda bid: "no" if bid in best else "yes"),
        plain("Basis", "basis", lambda bid: bid.row.basis),
    ]
    return build("Which machines to take", chosen, rows, name="choice", notes=list(_notes(found, rows, limits)))


def _currency(found: Sequence[ClusterForecast]) -> str:
    return next((each.terms.price.currency for each in found if each.terms.price is not None), "no price")


def _notes(found: Sequence[ClusterForecast], rows: Sequence[Bid], limits: ChoiceLimits) -> Iterator[str]:
    yield (
        "A repeat of the same work: its total time, and what the nodes that work in it cost meanwhile, without their "
        "start, disks and traffic. Of each cluster stand the fastest way and the cheapest; beaten is what another way "
        "is faster than at no higher price, or cheaper than in no more time."
    )
    yield _cheapest(rows, limits, _currency(found))
    yield _fastest(rows, limits, _currency(found))
    yield from _stopped(found, rows, limits)


def _cheapest(rows: Sequence[Bid], limits: ChoiceLimits, currency: str) -> str:
    limit = "" if limits.deadline_s is None else f" within {number(limits.deadline_s, 3)} s"
    if best := cheapest(rows, limits):
        return f"The cheapest{limit}: {_told(best, currency)}."
    return f"None{limit or ' of them'} has a price: no cheapest can be named."


def _fastest(rows: Sequence[Bid], limits: ChoiceLimits, currency: str) -> str:
    limit = "" if limits.budget is None else f" for at most {number(limits.budget, 3)} {currency} a repeat"
    if best := fastest(rows, limits):
        return f"The fastest{limit}: {_told(best, currency)}."
    return f"None is to be had{limit}."


def _told(bid: Bid, currency: str) -> str:
    asked = bid.row.asked
    price = "its price is not known" if bid.price is None else f"{number(bid.price, 3)} {currency}"
    place = f"{plural(asked.case.ranks, 'rank')} on {plural(asked.nodes, 'node')}"
    return f"{bid.of.cluster} with {place}, {number(bid.total_s, 3)} s, {price}"


def _stopped(found: Sequence[ClusterForecast], rows: Sequence[Bid], limits: ChoiceLimits) -> Iterator[str]:
    """What stops the clusters that could not be chosen, in a line each."""
    for each in found:
        own = [bid for bid in rows if bid.of is each]
        if not own:
            yield f"{each.cluster}: the work needs more than 90% of a node's memory at every number of ranks."
        elif not any(in_time(bid, limits) for bid in own):
            yield f"{each.cluster} is too slow: {number(min(bid.total_s for bid in own), 3)} s at its fastest."
        elif limits.budget is not None and not any(paid(bid, limits) for bid in own):
            prices = [bid.price for bid in own if bid.price is not None]
            least = f"costs {number(min(prices), 3)} at its cheapest" if prices else "has no price"
            yield f"{each.cluster} {least}, which the budget does not pay for."
