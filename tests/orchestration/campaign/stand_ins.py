"""A campaign's steps without any cluster: what is asked of them is written down, and what goes wrong is said."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.campaign import folder as folders
from orchestration.campaign.budget import Budget
from orchestration.campaign.folder import CampaignIdentity
from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.runner import CampaignRunner
from orchestration.campaign.steps import PlannedCluster, SweepEnd
from orchestration.clusters.inventory import Inventory, Price
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal
from tests.orchestration.support import make_inventory

NAMES = ("a", "b", "c")
IDENTITY = CampaignIdentity("quick", "study", "workload", NAMES)
UP_S, SWEEP_S, DOWN_S = 600.0, 3600.0, 120.0


def price(amount: float, currency: str = "USD") -> Price:
    return Price(amount_per_hour=amount, currency=currency, date="2026-11-01")


def made(amount: float = 6.0, **more: float) -> ClusterOffer:
    """A cluster that is to be made, of so much an hour."""
    return ClusterOffer(True, 2, price(amount), **more)


@dataclass
class StandIn:
    """The steps. `wrong` gives what a step of a cluster raises, the first time it is asked; "b.up": Refusal("no").

    A KeyboardInterrupt there is one that the person sends.
    """

    folder: Path
    offers: dict[str, ClusterOffer] = field(default_factory=lambda: {name: made() for name in NAMES})
    wrong: dict[str, BaseException] = field(default_factory=dict)
    now: datetime.datetime = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    asked: list[str] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    most_alive: int = 0
    interrupts: int = 0
    said: list[str] = field(default_factory=list)
    money: dict[str, float | None] = field(default_factory=dict)  # that the provider was given
    left_s: dict[str, float] = field(default_factory=dict)  # of a sweep before it: what an earlier one left to do

    def utc(self) -> str:
        return self.now.isoformat()

    def runner(self, max_cost: float | None, parallel: int = 1) -> CampaignRunner:
        """Another process that begins with the same command."""
        self.interrupts = 0
        folders.begin(self.folder, IDENTITY, self.utc())
        budget = Budget(max_cost, "USD")
        journal = CampaignJournal(self.folder, budget, self.utc, self.said.append, lambda: self.interrupts)
        return CampaignRunner(self, journal, parallel, self.interrupt)

    def campaign(self, max_cost: float | None = 1000.0, skip: dict[str, str] | None = None, parallel: int = 1) -> str:
        """The whole command: how it ended."""
        runner = self.runner(max_cost, parallel)
        self.ask = runner.news.put
        runner.recover(self.find)
        planned = [PlannedCluster(name, offer, (skip or {}).get(name, "")) for name, offer in self.offers.items()]
        end = runner.carry_out(planned)
        self.found = runner.journal.campaign
        return end

    def states(self) -> list[str]:
        return [each.state for each in self.found.clusters]

    def find(self, cluster: str) -> Inventory | None:
        return self._inventory(cluster) if cluster in self.alive else None

    def interrupt(self, asked: int) -> None:
        """What the person's Ctrl-C does to steps at work beside each other."""

    # The steps

    def up(self, cluster: str, offer: ClusterOffer, most: float | None) -> Inventory:
        self.money[cluster] = most
        if cluster not in self.alive:
            self.alive.append(cluster)  # half made, where it goes wrong
        self._do("up", cluster, UP_S)
        paid = [name for name in self.alive if self.offers[name].price is not None]
        self.most_alive = max(self.most_alive, len(paid))
        return self._inventory(cluster)

    def push(self, cluster: str) -> None:
        self._do("push", cluster, 0.0)

    def check(self, cluster: str) -> None:
        self._do("check", cluster, 0.0)

    def sweep(self, cluster: str, ends_at: str | None, folder: Path | None, begun: Callable[[Path], None]) -> SweepEnd:
        sweep = folder or self.folder.parent / f"quick-{cluster}"
        sweep.mkdir(exist_ok=True)
        begun(sweep)
        self.meet(cluster)
        takes_s = self.left_s.get(cluster, SWEEP_S)
        since = self.now
        has_s = takes_s if ends_at is None else min(takes_s, lifetime_left_s(ends_at, since.isoformat()))
        self._do("sweep", cluster, has_s, since)
        self.left_s[cluster] = takes_s - has_s
        return SweepEnd(has_s == takes_s, {"ok": 1})

    def meet(self, cluster: str) -> None:
        """What comes first in a sweep."""

    def pull(self, cluster: str, folder: Path) -> None:
        self._do("pull", cluster, 0.0)

    def down(self, cluster: str) -> None:
        if cluster not in self.alive:
            raise Refusal(f"{cluster} is not up")
        self._do("down", cluster, DOWN_S)
        self.alive.remove(cluster)

    def _do(self, step: str, cluster: str, takes_s: float, since: datetime.datetime | None = None) -> None:
        """Until so long after it began; what is done at once with other clusters takes no time of theirs."""
        self.asked.append(f"{cluster}.{step}")
        error = self.wrong.pop(f"{cluster}.{step}", None)
        self.now = max(self.now, (since or self.now) + datetime.timedelta(seconds=takes_s))
        if isinstance(error, KeyboardInterrupt):
            self.interrupts += 1
        if error is not None:
            raise error

    def _inventory(self, cluster: str) -> Inventory:
        return make_inventory(2).model_copy(update={"cluster": cluster, "price": self.offers[cluster].price})
