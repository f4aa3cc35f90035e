"""The work on one cluster of a campaign, from its start to its end, whatever becomes of it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.campaign.budget import accrued, ends_at
from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.steps import FAULTS, CampaignSteps, SweepEnd
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from workload.record import campaign as recorded
from workload.record.campaign import CampaignCluster

BUDGET, LIFETIME = "budget", "lifetime"


@dataclass(frozen=True)
class Allowance:
    """What a cluster may cost in all, from its start; infinite without a limit. `shared`: others have a part too."""

    amount: float
    shared: bool = False


NO_LIMIT = Allowance(math.inf)


@dataclass
class ClusterWork:
    """One cluster's. `step` is what it is at: up, push, check or sweep."""

    name: str
    steps: CampaignSteps
    journal: CampaignJournal
    allowance: Allowance = NO_LIMIT
    step: str = "up"
    _gone: bool = False  # it is taken down

    def carry_through(self, offer: ClusterOffer) -> None:
        """Brings the cluster up, sweeps on it and takes it down; a fault is written down, and ends the work."""
        journal = self.journal
        before, asked, begun = journal.cluster(self.name), journal.interrupts(), True
        try:
            if before.since is None:
                price = None if offer.price is None else offer.price.model_dump()
                most = None if price is None or math.isinf(self.allowance.amount) else self.allowance.amount
                journal.log(recorded.STARTING, cluster=self.name, made=offer.made, price=price, most=most)
            self._sweep(self._brought_up(offer))
        except (*FAULTS, KeyboardInterrupt) as error:
            begun = self._is_up or not isinstance(error, Refusal) or before.since is not None
            if journal.interrupts() == asked and not isinstance(error, KeyboardInterrupt):
                self._fail(self.step, error)
        finally:
            try:
                self.leave(begun=begun, is_up=self._is_up)
            except KeyboardInterrupt:  # between two steps of that, where nothing else catches it
                self.leave(begun=begun, is_up=self._is_up)

    @property
    def _is_up(self) -> bool:
        return self.step != "up"

    def _brought_up(self, offer: ClusterOffer) -> Inventory:
        """The cluster, up and checked. Raises what the steps raise.

        The workload is pushed first: without it the check leaves the allreduce, the processors and the canary out.
        """
        self._begin("up")
        found = self.steps.up(self.name, offer, self._most(offer))
        price = None if found.price is None else found.price.model_dump()
        about = {"price": price, "nodes": len(found.nodes), "slots": found.slots, "expires_at": found.expires_at}
        self.journal.log(recorded.UP, cluster=self.name, **about)
        self._begin("push")
        self.steps.push(self.name)
        self._begin("check")
        self.steps.check(self.name)
        return found

    def _sweep(self, found: Inventory) -> None:
        """Raises what the step raises."""
        self._begin("sweep")
        state = self.journal.cluster(self.name)
        until = ends_at(self._left(), state.price, state.made, self.journal.utc_now())
        end = self.steps.sweep(self.name, until, state.sweep, self._sweeping)
        self._swept(end, until, found.expires_at)

    def _begin(self, step: str) -> None:
        self.step = step
        self.journal.say(f"-- {self.name}: {step}")

    def _most(self, offer: ClusterOffer) -> float | None:
        """The money for which the provider itself is to end the cluster; None where its own lifetime ends it before."""
        if offer.price is None or offer.lifetime_s is None or not offer.made:
            return None
        left = self._left()
        return left if offer.price.amount_per_hour * offer.lifetime_s / 3600.0 > left else None

    def _left(self) -> float:
        """What it has not cost yet of what it may cost."""
        return self.allowance.amount - accrued(self.journal.cluster(self.name), self.journal.utc_now())

    def _sweeping(self, folder: Path) -> None:
        self.journal.log(recorded.SWEEPING, cluster=self.name, sweep=os.path.relpath(folder, self.journal.folder))

    def _swept(self, end: SweepEnd, until: str | None, expires_at: str | None) -> None:
        reason, journal = "", self.journal
        if not end.complete:
            by_budget = until is not None and (expires_at is None or until <= expires_at)
            spent = f"{'its share of ' * self.allowance.shared}the budget is spent"
            reason = spent if by_budget else "some runs are left to do"
            journal.ends.add(BUDGET if by_budget else LIFETIME)
        if not end.as_planned:
            journal.as_planned = False
        about = {"complete": end.complete, "outcomes": dict(end.outcomes), "reason": reason}
        journal.log(recorded.SWEPT, cluster=self.name, **about)

    def _fail(self, step: str, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        self.journal.say(f"{self.name} failed ({step}): {reason}")
        self.journal.ends.add(recorded.FAILED)
        self.journal.log(recorded.FAILED, cluster=self.name, step=step, reason=reason)

    # The end of the work

    def leave(self, *, begun: bool = True, is_up: bool = True, until: str = "") -> None:
        """Fetches what is there, and takes the cluster down if the campaign made it; writes what it cost.

        `begun` is false where `up` refused and so made nothing, `is_up` where it may have made a part; `until` is when
        the work on it was over, without it now.
        """
        cluster = self.journal.cluster(self.name)
        if cluster.since is None:
            return
        unfinished = begun and is_up and cluster.state != recorded.SWEPT
        if unfinished and cluster.sweep is not None and cluster.sweep.is_dir():
            self._pull(cluster.sweep)
        if begun and cluster.made and not self._gone and not self._taken_down(cluster, is_up=is_up):
            return
        self._gone = True
        spent = accrued(cluster, until or self.journal.utc_now()) if begun else 0.0
        self.journal.log(recorded.LEFT, cluster=self.name, spent=spent, taken_down=begun and cluster.made)
        if spent:
            self.journal.say(f"{self.name}: {spent:.2f} {self.journal.budget.currency}")

    def _pull(self, sweep: Path) -> None:
        """Fetches what runs left on the cluster; where that fails, `down` keeps what is not here."""
        try:
            self.steps.pull(self.name, sweep)
        except (*FAULTS, KeyboardInterrupt) as error:
            self.journal.say(f"{self.name}: what its runs left is not fetched ({error or 'interrupted'})")

    def _taken_down(self, cluster: CampaignCluster, *, is_up: bool) -> bool:
        """Whether nothing of it is left. Ctrl-C while it is taken down begins that anew; a second one leaves it."""
        journal = self.journal
        journal.say(f"-- {self.name}: down (Ctrl-C twice leaves it as it is)")
        for attempt in (1, 2):
            asked = journal.interrupts()
            try:
                self.steps.down(self.name)
                return True
            except (*FAULTS, KeyboardInterrupt) as error:
                if isinstance(error, Refusal) and not is_up:  # it never was, or `up` took it down again itself
                    return True
                if attempt == 1 and journal.interrupts() > asked:
                    continue
                why = "interrupted" if isinstance(error, KeyboardInterrupt) else error
                journal.stuck = journal.stuck or (self.name if cluster.price else "")
                self._fail(recorded.DOWN, Stopped(f"{why}: 'fab down --cluster {self.name}'"))
                break
        return False
