"""Carrying a campaign out: one cluster after the other, each taken down before the next is brought up."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestration.campaign.budget import Budget, accrued
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from orchestration.jobs.executor import HeadLostError
from orchestration.sweep.ledger import Ledger
from workload.record import campaign as recorded
from workload.record.campaign import CampaignCluster, RecordedCampaign, read_campaign

COMPLETE, BUDGET, LIFETIME, INTERRUPTED = "complete", "budget", "lifetime", "interrupted"
FAULTS = (Refusal, Stopped, HeadLostError, OSError)


@dataclass(frozen=True)
class SweepEnd:
    """How a sweep of a campaign ended: `complete` where no run of it is left to do.

    `as_planned` is false where a run failed.
    """

    complete: bool
    outcomes: Mapping[str, int]
    as_planned: bool = True


class CampaignSteps(Protocol):
    """What is done with one cluster. Each may raise Refusal, Stopped, HeadLostError, OSError, KeyboardInterrupt."""

    def up(self, cluster: str, offer: ClusterOffer, most: float | None) -> Inventory:
        """Brings it up, for at most so much money where that is given; or finds it where it stands."""
        ...

    def push(self, cluster: str) -> None: ...

    def check(self, cluster: str) -> None: ...

    def sweep(self, cluster: str, ends_at: str | None, folder: Path | None, begun: Callable[[Path], None]) -> SweepEnd:
        """Carries the study out until then, in the folder where that is given; `begun` is told the folder."""
        ...

    def pull(self, cluster: str, folder: Path) -> None: ...

    def down(self, cluster: str) -> None: ...


@dataclass(frozen=True)
class PlannedCluster:
    """A cluster of the campaign; `skip` says why it is left out, empty where it is not."""

    name: str
    offer: ClusterOffer
    skip: str = ""


@dataclass
class CampaignRunner:
    """Carries a campaign out in its folder, which has a ledger that begins with a plan. The caller holds the folder.

    `interrupts` is how often the person has asked to end it.
    """

    folder: Path
    steps: CampaignSteps
    budget: Budget
    utc_now: Callable[[], str]
    say: Callable[[str], None]
    interrupts: Callable[[], int]
    as_planned: bool = True  # no run failed in this sitting
    _ends: set[str] = field(default_factory=set)
    _stuck: str = ""  # a cluster with a price that could not be taken down
    _gone: str = ""  # the cluster that was taken down last

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.folder / recorded.LEDGER)

    @property
    def campaign(self) -> RecordedCampaign:
        """As the ledger has it now."""
        return read_campaign(self.folder)

    def recover(self, find: Callable[[str], Inventory | None]) -> None:
        """Takes down what an earlier start of the command left up; but not what it can go on with.

        `find` gives the inventory of a cluster that is up, even past its lifetime.
        """
        for cluster in self.campaign.clusters:
            if cluster.since is None:
                continue
            found, now = find(cluster.name), self.utc_now()
            lives = found is not None and (found.expires_at is None or lifetime_left_s(found.expires_at, now) > 0)
            if cluster.state == recorded.AT_WORK and cluster.made and lives:
                self.say(f"{cluster.name} is still up, since {cluster.since}: the campaign goes on with it")
                continue
            # one that stood before is not the campaign's while that is not at work
            until = now if cluster.made else str(self._ledger.events()[-1]["utc"])
            self._leave(cluster.name, is_up=found is not None, until=until)

    def carry_out(self, planned: Sequence[PlannedCluster]) -> str:
        """All clusters that are not swept, in their order; returns how it ended, in a word."""
        budget, end = self.budget, INTERRUPTED
        self._log(recorded.BEGUN, pid=os.getpid(), max_cost=budget.max_cost, currency=budget.currency)
        try:
            for item in planned:
                if self.interrupts() or self._stuck:
                    break
                self._one(item)
            end = self._end()
        finally:
            self._log(recorded.ENDED, reason=end)
        return end

    def _end(self) -> str:
        if self.interrupts():
            return INTERRUPTED
        order = (recorded.FAILED, BUDGET, LIFETIME)
        return next((word for word in order if word in self._ends), COMPLETE)

    def _one(self, item: PlannedCluster) -> None:
        """One cluster from its start to its end, whatever becomes of it."""
        name, before = item.name, self._cluster(item.name)
        if before.state == recorded.SWEPT:
            self.say(f"{name}: swept already, {before.sweep}")
            return
        late = "" if item.skip else self.budget.too_small(self.campaign, name, item.offer, self.utc_now())
        if item.skip or late:
            self._skip(before, item.skip or late)
            self._ends |= {BUDGET} if late else set()
            return
        asked, step, begun, self._gone = self.interrupts(), ["up"], True, ""
        try:
            if before.since is None:
                price = None if item.offer.price is None else item.offer.price.model_dump()
                self._log(recorded.STARTING, cluster=name, made=item.offer.made, price=price)
            self._work(item, step)
        except (*FAULTS, KeyboardInterrupt) as error:
            begun = step[0] != "up" or not isinstance(error, Refusal) or before.since is not None
            if self.interrupts() == asked and not isinstance(error, KeyboardInterrupt):
                self._fail(name, step[0], error)
        finally:
            try:
                self._leave(name, begun=begun, is_up=step[0] != "up")
            except KeyboardInterrupt:  # between two steps of that, where nothing else catches it
                self._leave(name, begun=begun, is_up=step[0] != "up")

    def _work(self, item: PlannedCluster, step: list[str]) -> None:
        """Up, push, check, sweep; `step` is where it is. Raises what the steps raise.

        The workload is pushed first: without it the check leaves the allreduce, the processors and the canary out.
        """
        name = item.name
        self.say(f"-- {name}: up")
        found = self.steps.up(name, item.offer, self._most(item.offer))
        price = None if found.price is None else found.price.model_dump()
        about = {"price": price, "nodes": len(found.nodes), "slots": found.slots, "expires_at": found.expires_at}
        self._log(recorded.UP, cluster=name, **about)
        for step[0], act in (("push", self.steps.push), ("check", self.steps.check)):
            self.say(f"-- {name}: {step[0]}")
            act(name)
        step[0] = "sweep"
        self.say(f"-- {name}: sweep")
        state = self._cluster(name)
        ends_at = self.budget.ends_at(self.campaign, state.price, state.made, self.utc_now())
        end = self.steps.sweep(name, ends_at, state.sweep, lambda folder: self._sweeping(name, folder))
        self._swept(name, end, ends_at, found.expires_at)

    def _most(self, offer: ClusterOffer) -> float | None:
        """The money for which the provider itself is to end the cluster; None where its own lifetime ends it before."""
        if offer.price is None or offer.lifetime_s is None or not offer.made:
            return None
        left = self.budget.left(self.campaign, self.utc_now())
        return left if offer.price.amount_per_hour * offer.lifetime_s / 3600.0 > left else None

    def _sweeping(self, name: str, folder: Path) -> None:
        self._log(recorded.SWEEPING, cluster=name, sweep=os.path.relpath(folder, self.folder))

    def _swept(self, name: str, end: SweepEnd, ends_at: str | None, expires_at: str | None) -> None:
        reason = ""
        if not end.complete:
            by_budget = ends_at is not None and (expires_at is None or ends_at <= expires_at)
            reason = "the budget is spent" if by_budget else "some runs are left to do"
            self._ends.add(BUDGET if by_budget else LIFETIME)
        self.as_planned = self.as_planned and end.as_planned
        self._log(recorded.SWEPT, cluster=name, complete=end.complete, outcomes=dict(end.outcomes), reason=reason)

    def _skip(self, before: CampaignCluster, reason: str) -> None:
        self.say(f"{before.name} is skipped: {reason}")
        if before.since is not None:
            self._leave(before.name)
        if before.sweep is None:  # one with records stays partial
            self._log(recorded.SKIPPED, cluster=before.name, reason=reason)

    def _fail(self, name: str, step: str, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        self.say(f"{name} failed ({step}): {reason}")
        self._ends.add(recorded.FAILED)
        self._log(recorded.FAILED, cluster=name, step=step, reason=reason)

    # The end of the work on a cluster

    def _leave(self, name: str, *, begun: bool = True, is_up: bool = True, until: str = "") -> None:
        """Fetches what is there, and takes the cluster down if the campaign made it; writes what it cost.

        `begun` is false where `up` refused and so made nothing, `is_up` where it may have made a part; `until` is when
        the work on it was over, without it now.
        """
        cluster = self._cluster(name)
        if cluster.since is None:
            return
        unfinished = begun and is_up and cluster.state != recorded.SWEPT
        if unfinished and cluster.sweep is not None and cluster.sweep.is_dir():
            self._pull(name, cluster.sweep)
        if begun and cluster.made and self._gone != name and not self._taken_down(cluster, is_up=is_up):
            return
        self._gone = name
        spent = accrued(cluster, until or self.utc_now()) if begun else 0.0
        self._log(recorded.LEFT, cluster=name, spent=spent, taken_down=begun and cluster.made)
        if spent:
            self.say(f"{name}: {spent:.2f} {self.budget.currency}")

    def _pull(self, name: str, sweep: Path) -> None:
        """Fetches what runs left on the cluster; where that fails, `down` keeps what is not here."""
        try:
            self.steps.pull(name, sweep)
        except (*FAULTS, KeyboardInterrupt) as error:
            self.say(f"{name}: what its runs left is not fetched ({error or 'interrupted'})")

    def _taken_down(self, cluster: CampaignCluster, *, is_up: bool) -> bool:
        """Whether nothing of it is left. Ctrl-C while it is taken down begins that anew; a second one leaves it."""
        self.say(f"-- {cluster.name}: down (Ctrl-C twice leaves it as it is)")
        for attempt in (1, 2):
            asked = self.interrupts()
            try:
                self.steps.down(cluster.name)
                return True
            except (*FAULTS, KeyboardInterrupt) as error:
                if isinstance(error, Refusal) and not is_up:  # it never was, or `up` took it down again itself
                    return True
                if attempt == 1 and self.interrupts() > asked:
                    continue
                why = "interrupted" if isinstance(error, KeyboardInterrupt) else error
                self._fail(cluster.name, recorded.DOWN, Stopped(f"{why}: 'fab down --cluster {cluster.name}'"))
                self._stuck = self._stuck or (cluster.name if cluster.price else "")
                break
        return False

    def _cluster(self, name: str) -> CampaignCluster:
        return self.campaign.cluster(name)

    def _log(self, event: str, **values: Any) -> None:
        self._ledger.append(event, self.utc_now(), **values)
