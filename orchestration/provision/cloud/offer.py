"""What a person is shown before Google is asked for anything: resources, open ports, price, quota, lifetime."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.errors import Refusal
from orchestration.messages import explain
from orchestration.provision.cloud.clients.compute import Quota
from orchestration.provision.cloud.clients.events import Change
from orchestration.provision.cloud.standing import ordered
from orchestration.tables import TextTable

SHORTEST_S = 900  # below that the nodes would end before they are ready
LONGEST_S = 7 * 86400  # as infra/rules.py has it
OLD_DAYS = 365
Positive = Annotated[float, Field(ge=0)]


class _Output(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PriceItem(_Output):
    """One line of the price."""

    item: str
    count: float
    unit: str
    amount_per_hour: Positive
    source: str
    date: datetime.date


class OfferPrice(_Output):
    """What all items cost together; stacks of older programs did not say whether they are spot machines."""

    currency: str
    amount_per_hour: Positive
    amount_for_lifetime: Positive
    items: list[PriceItem]
    spot: bool = False


class Need(_Output):
    """So much of one of Google's quotas; or of another, `instead_of`, as Google counts in that project."""

    metric: str
    needed: float
    instead_of: str | None = None


class Port(_Output):
    """Who may reach what from where."""

    protocol: str
    ports: list[str]
    sources: list[str] = Field(alias="from")
    to: str


class Access(_Output):
    """Where the cluster is to stand, and who may enter."""

    project: str
    region: str
    zone: str
    ssh_from: list[str]
    open_ports: list[Port]


class Instance(_Output):
    """A node: the inventory's name of it, and Google's."""

    node: str
    name: str
    zone: str


class Offer(_Output):
    """The program's outputs that need no answer of Google's."""

    lifetime_s: Annotated[int, Field(ge=1)]
    price: OfferPrice
    quota: list[Need]
    access: Access
    instances: Annotated[list[Instance], Field(min_length=1)]


def parse_offer(outputs: Mapping[str, Any]) -> Offer:
    """The offer in a stack's outputs. Raises Refusal naming the first wrong key."""
    try:
        return Offer.model_validate(dict(outputs))
    except ValidationError as error:
        raise Refusal(f"the Pulumi program's outputs are none that fab knows: {explain(error, Offer)}") from error


def lifetime_for(budget: float, price: OfferPrice) -> int:
    """Whole seconds that so much money buys, a minute's multiple. Raises Refusal where that is no use, or endless."""
    if not math.isfinite(budget) or budget <= 0:
        raise Refusal(f"--budget {budget:g} is no amount of money: give for example --budget 5")
    if price.amount_per_hour == 0:
        raise Refusal(f"--budget {budget:g} says no lifetime: this cluster's price is 0 an hour")
    seconds = int(budget / price.amount_per_hour * 60) * 60
    if seconds < SHORTEST_S:
        least = SHORTEST_S / 3600 * price.amount_per_hour
        raise Refusal(
            f"--budget {budget:g} {price.currency} buys {duration(seconds)} at {price.amount_per_hour:.3f} an hour, "
            f"less than the nodes need to start and measure: give at least {math.ceil(least * 100) / 100:.2f}"
        )
    if seconds > LONGEST_S:
        most = LONGEST_S / 3600 * price.amount_per_hour
        raise Refusal(
            f"--budget {budget:g} {price.currency} buys {duration(seconds)}, and no cluster lives longer than "
            f"{duration(LONGEST_S)}: give at most {math.floor(most * 100) / 100:.2f}"
        )
    return seconds


def with_lifetime(offer: Offer, seconds: int) -> Offer:
    """The offer with another lifetime, priced anew."""
    amount = offer.price.amount_per_hour * seconds / 3600
    price = offer.price.model_copy(update={"amount_for_lifetime": amount})
    return offer.model_copy(update={"lifetime_s": seconds, "price": price})


def duration(seconds: float) -> str:
    """`3 h 20 min` for 12000."""
    hours, minutes = divmod(round(seconds / 60), 60)
    words = [f"{hours} h"] if hours else []
    return " ".join(words + ([f"{minutes} min"] if minutes or not hours else []))


@dataclass(frozen=True)
class Room:
    """One quota: what is needed beside what the project has; `have` is None where it could not be read.

    `either` says that Google counts this quota or another: then it is shown, and refuses nothing.
    """

    metric: str
    needed: float
    have: Quota | None
    either: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is known to limit what can be made."""
        return self.have is not None and not self.either

    @property
    def free(self) -> float:
        """How much of it nobody uses; endless where that is not known."""
        return math.inf if self.have is None else self.have.limit - self.have.usage

    @property
    def short(self) -> bool:
        return self.counts and self.needed > self.free

    @property
    def remark(self) -> str:
        return "unknown" if self.have is None else "this or the other" if self.either else ""


def rooms(offer: Offer, quotas: Mapping[str, Quota]) -> list[Room]:
    """The quotas that the offer needs, beside the project's own."""
    pairs = [(need.metric, need.instead_of) for need in offer.quota if need.instead_of is not None]
    either = {metric for pair in pairs for metric in pair}
    return [Room(need.metric, need.needed, quotas.get(need.metric), need.metric in either) for need in offer.quota]


def check_room(offer: Offer, found: Sequence[Room]) -> None:
    """Raises Refusal naming every quota that a new cluster would pass."""
    wrong = [
        f"{room.metric}: {room.needed:g} needed, {room.have.usage:g} of {room.have.limit:g} in use"
        for room in found
        if room.short and room.have is not None
    ]
    if wrong:
        raise Refusal(
            f"project {offer.access.project} has not the quota in {offer.access.region} ({'; '.join(wrong)}): "
            "ask Google for that much (console: IAM & Admin, Quotas), or set another zone, machine type or node count"
        )


def tables(offer: Offer, changes: Sequence[Change], found: Sequence[Room], unread: str) -> list[TextTable]:
    """For the person; `unread` says why the project's quota is not known."""
    return [_changes(offer, changes), _ports(offer), _price(offer.price), _quota(offer, found, unread)]


def _changes(offer: Offer, changes: Sequence[Change]) -> TextTable:
    rows = []
    for (what, noun), count in Counter((change.what, change.noun) for change in changes).items():
        names = ordered([change.name for change in changes if (change.what, change.noun) == (what, noun)])
        shown = names if len(names) <= 2 else [names[0], "...", names[-1]]
        rows.append([what, f"{count} {noun}", " ".join(shown)])
    title = f"Resources ({offer.access.project}, {offer.access.zone})"
    return TextTable(("what", "count", "of"), rows, title, "" if changes else "Resources: nothing changes")


def _ports(offer: Offer) -> TextTable:
    rows = [
        [port.protocol, ", ".join(port.ports) or "all", ", ".join(port.sources), port.to]
        for port in offer.access.open_ports
    ]
    return TextTable(("protocol", "ports", "from", "to"), rows, "Open ports, all others closed")


def _price(price: OfferPrice) -> TextTable:
    rows = [
        [item.item, f"{item.count:g} {item.unit}", f"{item.amount_per_hour:.4f}", item.source, str(item.date)]
        for item in price.items
    ]
    rows.append(["together", "", f"{price.amount_per_hour:.4f}", "", ""])
    return TextTable(("item", "count", f"{price.currency}/h", "source", "date"), rows, "Price")


def _quota(offer: Offer, found: Sequence[Room], unread: str) -> TextTable:
    rows = []
    for room in found:
        have = ["?", "?"] if room.have is None else [f"{room.have.usage:g}", f"{room.have.limit:g}"]
        rows.append([room.metric, f"{room.needed:g}", *have, room.remark])
    note = f"the project's own cannot be read: {unread}" if unread else ""
    title = f"Quota of the project ({offer.access.region})"
    return TextTable(("quota", "needed", "in use", "limit", ""), rows, title, note)


def aged(price: OfferPrice, utc: str) -> str:
    """Which prices are more than a year old at `utc`, in a line; empty where none is."""
    now = datetime.datetime.fromisoformat(utc).date()
    old = [item for item in price.items if (now - item.date).days > OLD_DAYS]
    if not old:
        return ""
    named = ", ".join(f"{item.item} ({item.date})" for item in old)
    return (
        f"prices more than a year old: {named}: compare them with Google's list, and set convscale:prices if they moved"
    )


def bill(offer: Offer) -> str:
    """The line that the question stands under."""
    price = offer.price
    return (
        f"lifetime {duration(offer.lifetime_s)}, then Google itself ends the nodes: at most "
        f"{price.amount_for_lifetime:.2f} {price.currency} until then ({price.amount_per_hour:.3f} an hour, traffic to "
        "the internet apart); the head's disk stays, and bills, until 'fab down'"
    )
