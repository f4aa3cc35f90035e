"""Which machines to take: bids with their time and price, and the cheapest and the fastest that keep a person's limits.

Sentences rest on what was measured, where anything was, and claim what the intervals carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.estimates import EXACT, RANGE, Estimate
from results.forecast import bid as bids
from results.forecast.bid import Bid, Choice, ChoiceLimits, amount, in_time, paid, priced
from results.formats import NONE, estimate, number, plural
from results.table import Column, Table, Values, bounded, build, hidden, numeric, plain, shown

MOST_NAMED = 3  # bids in a sentence
BEATEN = {True: "yes", False: "no", None: "cannot tell"}


def table(found: Choice, limits: ChoiceLimits) -> Table:
    """One row a bid, the fastest first; the notes have the answer."""
    notes = [*found.notes, *_beaten_note(found), *answers(found, limits)]
    return build(found.title, _columns(found), found.bids, name="choice", notes=notes)


def _columns(found: Choice) -> list[Column[Bid]]:
    named = any(bid.name != bid.cluster for bid in found.bids)
    foretold = any(bid.foretold_s is not None for bid in found.bids)
    return [
        *([plain("Sweep", "sweep", lambda bid: bid.name)] if named else []),
        plain("Cluster", "cluster", lambda bid: bid.cluster),
        shown("Machine type", "machine_type", lambda bid: bid.machine_type, lambda text: text or NONE),
        plain("Nodes", "nodes", lambda bid: bid.nodes),
        plain("Ranks", "ranks", lambda bid: bid.ranks),
        plain("How", "variant", lambda bid: bid.how),
        Column(f"A {found.work} (s)", time_text, lambda bid: _values("total", "_s", bid.total_s, bid.time)),
        _money(f"On demand ({found.currency})", "price", spot=False),
        _money(f"Spot ({found.currency})", "spot_price", spot=True),
        shown("Beaten", "beaten", lambda bid: _beaten(bid, found), str),
        plain("Basis", "basis", lambda bid: bid.basis if bid.measured else f"forecast: {bid.basis}"),
        *([numeric("Forecast before (s)", "foretold_s", lambda bid: bid.foretold_s, 3)] if foretold else []),
        hidden("run_ids", lambda bid: " ".join(bid.point.run_ids) if bid.point is not None else ""),
    ]


def time_text(bid: Bid) -> str:
    """In seconds, with its bounds."""
    return number(bid.total_s, 3) if bid.time is None else estimate(bid.time, 3)


def _money(header: str, key: str, *, spot: bool) -> Column[Bid]:
    def show(bid: Bid) -> str:
        return price_text(bid, spot=spot)

    def values(bid: Bid) -> Values:
        return _values(key, "", amount(bid, spot), priced(bid, spot=spot) if bid.time is not None else None)

    return Column(header, show, values)


def price_text(bid: Bid, *, spot: bool = False) -> str:
    """In the currency of the choice, with its bounds."""
    price = priced(bid, spot=spot)
    return number(amount(bid, spot), 3) if bid.time is None or price is None else estimate(price, 3)


def _values(key: str, unit: str, value: float | None, bounds: Estimate | None) -> Values:
    return {**bounded(key, unit, bounds), f"{key}{unit}": value}


def _beaten(bid: Bid, found: Choice) -> str:
    return NONE if amount(bid) is None else BEATEN[bids.beaten(bid, found.bids)]


def _beaten_note(found: Choice) -> Iterator[str]:
    if any(bid.measured for bid in found.bids):
        yield (
            "Beaten: yes where another is no slower and, on demand, no dearer, no where none is; cannot tell where "
            "intervals leave that open, or launches are too few for one."
        )


def deadline_words(limits: ChoiceLimits) -> str:
    """What follows "the cheapest"; empty without a deadline."""
    return "" if limits.deadline_s is None else f" within {number(limits.deadline_s, 3)} s"


def budget_words(found: Choice, limits: ChoiceLimits) -> str:
    """What follows "the fastest"; empty without a budget."""
    return "" if limits.budget is None else f" for at most {number(limits.budget, 3)} {found.currency} a {found.work}"


def answers(found: Choice, limits: ChoiceLimits) -> list[str]:
    """The cheapest and the fastest that keep the limits, what is not certain of that, and what stops the others."""
    sure = found.certain
    return [
        *_cheapest(found, sure, limits),
        _fastest(found, sure, limits),
        *_forecast_alone(found, sure, limits),
        *found.stopped,
        *_limited(found, limits),
    ]


def _cheapest(found: Choice, sure: Sequence[Bid], limits: ChoiceLimits) -> Iterator[str]:
    limit = deadline_words(limits)
    best = bids.cheapest(sure, limits)
    open_ = [bid for bid in sure if amount(bid) is not None and in_time(bid, limits) is None]
    if best is None:
        yield _none_in_time(sure, open_, limit, limits)
        return
    less = [bid for bid in open_ if bids.money(bid) < bids.money(best)]
    whether = f"; it is open whether {listed(less)}, at less, {_is(less)} in time" if less else ""
    alike = _alike(as_cheap(sure, best, limits), "cost")
    yield f"The cheapest{limit}: {_told(best, found)}{alike}{whether}."
    spot = bids.cheapest(sure, limits, spot=True)
    if spot is not None and spot is not best:
        yield f"The cheapest{limit} on spot machines: {_told(spot, found, spot=True)}."


def as_cheap(sure: Sequence[Bid], best: Bid, limits: ChoiceLimits) -> list[Bid]:
    """Those in time whose cost cannot be told from that of the cheapest."""
    others = [bid for bid in sure if bid is not best and amount(bid) is not None and in_time(bid, limits)]
    return [bid for bid in others if _open(bids.cost_ratio(bid, best))]


def as_fast(sure: Sequence[Bid], best: Bid, limits: ChoiceLimits) -> list[Bid]:
    """Those within the budget whose time cannot be told from that of the fastest."""
    others = [bid for bid in sure if bid is not best and paid(bid, limits)]
    return [bid for bid in others if _open(bids.time_ratio(bid, best))]


def _none_in_time(sure: Sequence[Bid], open_: Sequence[Bid], limit: str, limits: ChoiceLimits) -> str:
    if open_:
        return f"None is certain to be{limit}; it is open for {listed(open_)}."
    if any(in_time(bid, limits) for bid in sure) or not limit:
        return f"None{limit or ' of them'} has a price: no cheapest can be named."
    return f"None is{limit}: no cheapest can be named."


def _fastest(found: Choice, sure: Sequence[Bid], limits: ChoiceLimits) -> str:
    limit = budget_words(found, limits)
    best = bids.fastest(sure, limits)
    open_ = [bid for bid in sure if paid(bid, limits) is None]
    if best is None:
        if open_:
            return f"None is certain to be had{limit}; it is open for {listed(open_)}."
        return f"None is to be had{limit}."
    alike = _alike(as_fast(sure, best, limits), "time")
    quicker = [bid for bid in open_ if bid.total_s < best.total_s]
    whether = f"; it is open whether the budget pays for {listed(quicker)}" if quicker else ""
    return f"The fastest{limit}: {_told(best, found)}{alike}{whether}."


def _forecast_alone(found: Choice, sure: Sequence[Bid], limits: ChoiceLimits) -> Iterator[str]:
    """What would keep the limits by a forecast, and was not measured."""
    for bid in found.bids:
        if bid not in sure and in_time(bid, limits) and paid(bid, limits):
            yield f"Forecast alone, and no part of these answers: {_told(bid, found)}."


def _open(ratio: Estimate) -> bool:
    """Whether two cannot be told apart."""
    return ratio.bounds == RANGE or (ratio.bounds != EXACT and not ratio.excludes(1.0))


def _alike(found: Sequence[Bid], what: str) -> str:
    return f"; no difference in {what} can be claimed to {listed(found)}" if found else ""


def listed(found: Sequence[Bid]) -> str:
    """The first of them by name, ranks and nodes."""
    told = [f"{bid.name} with {_place(bid)}" for bid in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        told.append(plural(len(found) - MOST_NAMED, "other"))
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _is(found: Sequence[Bid]) -> str:
    return "is" if len(found) == 1 else "are"


def _place(bid: Bid) -> str:
    return f"{plural(bid.ranks, 'rank')} on {plural(bid.nodes, 'node')}"


def _told(bid: Bid, found: Choice, *, spot: bool = False) -> str:
    price = "its price is not known" if amount(bid, spot) is None else f"{price_text(bid, spot=spot)} {found.currency}"
    return f"{bid.name} with {_place(bid)}, {time_text(bid)} s, {price}"


def _limited(found: Choice, limits: ChoiceLimits) -> Iterator[str]:
    """What the limits rule out, in a line for each sweep or cluster."""
    for name in dict.fromkeys(bid.name for bid in found.bids):
        own = [bid for bid in found.bids if bid.name == name]
        quickest = min(own, key=lambda bid: bid.total_s)
        if all(in_time(bid, limits) is False for bid in own):
            yield f"{name} is too slow: {time_text(quickest)} s at its fastest."
        elif limits.budget is not None and all(paid(bid, limits) is False for bid in own):
            cheap = min(own, key=bids.money)
            least = "has no price" if amount(cheap) is None else f"costs {price_text(cheap)} at its cheapest"
            yield f"{name} {least}, which the budget does not pay for."
