"""What a cluster costs by the hour, as a sweep's inventory says, and what its nodes do, also by a price list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from results.records.sweep import RecordedSweep


@dataclass(frozen=True)
class HourlyPrice:
    """The price of a whole cluster for an hour; `spot`: of machines that may be taken back at any time."""

    amount_per_hour: float
    currency: str
    spot: bool = False


@dataclass(frozen=True)
class PerHour:
    """What machines cost an hour on demand and as spot machines, each None where nobody has stated it."""

    on_demand: float | None = None
    spot: float | None = None

    def of(self, count: int) -> PerHour:
        """The same of so many of them."""
        return PerHour(*(None if each is None else each * count for each in (self.on_demand, self.spot)))

    @property
    def spot_share(self) -> float | None:
        """The price of a spot machine over that on demand."""
        return None if self.spot is None or not self.on_demand else self.spot / self.on_demand


@dataclass(frozen=True)
class PriceList:
    """Prices by machine type, in one currency; `basis` says whose they are and of when.

    `stated`: of whole clusters, by their names, as somebody states them for this comparison.
    """

    currency: str = "USD"
    basis: str = ""
    machines: Mapping[str, PerHour] = field(default_factory=dict)
    stated: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NodePrice:
    """What one node of a sweep's cluster costs an hour, and what that rests on."""

    per_hour: PerHour
    currency: str
    basis: str


def price_of(sweep: RecordedSweep) -> HourlyPrice | None:
    """The price in a sweep's inventory; None if it has none."""
    price = sweep.inventory.get("price")
    if not isinstance(price, Mapping):
        return None
    amount, currency = price.get("amount_per_hour"), price.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not isinstance(currency, str):
        return None
    return HourlyPrice(float(amount), currency, price.get("spot") is True)


def machine_type_of(sweep: RecordedSweep) -> str:
    """Of its nodes; several with a plus between them, empty where none is known."""
    return " + ".join(dict.fromkeys(str(node["machine_type"]) for node in _nodes(sweep) if node.get("machine_type")))


def node_price(sweep: RecordedSweep, known: PriceList) -> NodePrice | None:
    """What is stated for the comparison, else the inventory's price, else the list's; None where there is none.

    The other one of the two kinds, on demand and spot, follows from the inventory's by what the list says of both.
    """
    nodes, listed = len(_nodes(sweep)), known.machines.get(machine_type_of(sweep), PerHour())
    cluster = str(sweep.inventory.get("cluster", ""))
    if nodes and cluster in known.stated:
        own = PerHour(known.stated[cluster] / nodes)
        return NodePrice(own, known.currency, "stated for this comparison, by whoever made it")
    price = price_of(sweep)
    if nodes and price is not None:
        return _of_inventory(price, nodes, listed, known)
    return None if listed == PerHour() else NodePrice(listed, known.currency, known.basis)


def _of_inventory(price: HourlyPrice, nodes: int, listed: PerHour, known: PriceList) -> NodePrice:
    each, share = price.amount_per_hour / nodes, listed.spot_share
    kind, other = ("spot", "on demand") if price.spot else ("on demand", "spot")
    basis = f"its inventory's, {kind}"
    if not share:
        own = PerHour(None, each) if price.spot else PerHour(each)
        return NodePrice(own, price.currency, basis)
    own = PerHour(each / share, each) if price.spot else PerHour(each, each * share)
    return NodePrice(own, price.currency, f"{basis}; {other} by the ratio of both in {known.basis}")


def _nodes(sweep: RecordedSweep) -> list[Mapping[str, object]]:
    found = sweep.inventory.get("nodes")
    return [node for node in found if isinstance(node, Mapping)] if isinstance(found, list) else []
