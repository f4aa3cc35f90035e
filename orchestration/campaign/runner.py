"""Carrying a campaign out: one cluster after the other, each taken down before the next is brought up."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.steps import CampaignSteps, PlannedCluster
from orchestration.campaign.work import BUDGET, LIFETIME, ClusterWork
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from workload.record import campaign as recorded

COMPLETE, INTERRUPTED = "complete", "interrupted"


@dataclass(frozen=True)
class CampaignRunner:
    """Carries a campaign out by its steps. The caller holds its folder."""

    steps: CampaignSteps
    journal: CampaignJournal

    def work(self, name: str) -> ClusterWork:
        """The work on a cluster, not yet begun."""
        return ClusterWork(name, self.steps, self.journal)

    def recover(self, find: Callable[[str], Inventory | None]) -> None:
        """Takes down what an earlier start of the command left up; but not what it can go on with.

        `find` gives the inventory of a cluster that is up, even past its lifetime.
        """
        for cluster in self.journal.campaign.clusters:
            if cluster.since is None:
                continue
            found, now = find(cluster.name), self.journal.utc_now()
            lives = found is not None and (found.expires_at is None or lifetime_left_s(found.expires_at, now) > 0)
            if cluster.state == recorded.AT_WORK and cluster.made and lives:
                self.journal.say(f"{cluster.name} is still up, since {cluster.since}: the campaign goes on with it")
                continue
            # one that stood before is not the campaign's while that is not at work
            until = now if cluster.made else self.journal.last_utc()
            self.work(cluster.name).leave(is_up=found is not None, until=until)

    def carry_out(self, planned: Sequence[PlannedCluster]) -> str:
        """All clusters that are not swept, in their order; returns how it ended, in a word."""
        journal, end = self.journal, INTERRUPTED
        budget = journal.budget
        journal.log(recorded.BEGUN, pid=os.getpid(), max_cost=budget.max_cost, currency=budget.currency)
        try:
            for item in planned:
                if journal.interrupts() or journal.stuck:
                    break
                self._one(item)
            end = self._end()
        finally:
            journal.log(recorded.ENDED, reason=end)
        return end

    def _end(self) -> str:
        if self.journal.interrupts():
            return INTERRUPTED
        order = (recorded.FAILED, BUDGET, LIFETIME)
        return next((word for word in order if word in self.journal.ends), COMPLETE)

    def _one(self, item: PlannedCluster) -> None:
        """One cluster, unless it is swept or skipped."""
        journal, before = self.journal, self.journal.cluster(item.name)
        if before.state == recorded.SWEPT:
            journal.say(f"{item.name}: swept already, {before.sweep}")
            return
        late = "" if item.skip else journal.budget.too_small(journal.campaign, item.name, item.offer, journal.utc_now())
        if item.skip or late:
            self._skip(item.name, item.skip or late)
            journal.ends |= {BUDGET} if late else set()
            return
        self.work(item.name).carry_through(item.offer)

    def _skip(self, name: str, reason: str) -> None:
        before = self.journal.cluster(name)
        self.journal.say(f"{name} is skipped: {reason}")
        if before.since is not None:
            self.work(name).leave()
        if before.sweep is None:  # one with records stays partial
            self.journal.log(recorded.SKIPPED, cluster=name, reason=reason)
