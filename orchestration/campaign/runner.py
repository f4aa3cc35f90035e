"""Carrying a campaign out: its clusters one after the other, or several at work at once, in the order as typed."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from orchestration.campaign.budget import accrued, share
from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.steps import CampaignSteps, PlannedCluster
from orchestration.campaign.work import BUDGET, LIFETIME, NO_LIMIT, Allowance, ClusterWork
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from workload.record import campaign as recorded

COMPLETE, INTERRUPTED = "complete", "interrupted"


@dataclass(frozen=True)
class WorkOver:
    """News: the work on a cluster is over; `fault` is one of our own."""

    name: str
    fault: BaseException | None = None


@dataclass
class CampaignRunner:
    """Carries a campaign out by its steps. The caller holds its folder.

    At most `parallel` clusters are at work at once, each followed by a thread; where that is one, nothing but the
    caller's thread is used. `interrupt` ends the steps at work as Ctrl-C does, those that were begun before the person
    asked for the so-manieth time. Whoever hears the person puts that number into `news`.
    """

    steps: CampaignSteps
    journal: CampaignJournal
    parallel: int = 1
    interrupt: Callable[[int], None] = lambda _: None
    news: SimpleQueue[WorkOver | int] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self._at_work: dict[str, PlannedCluster] = {}
        self._faults: list[BaseException] = []

    def work(self, name: str, allowance: Allowance = NO_LIMIT) -> ClusterWork:
        """The work on a cluster, not yet begun."""
        return ClusterWork(name, self.steps, self.journal, allowance)

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
        limit = {"max_cost": journal.budget.max_cost, "currency": journal.budget.currency}
        journal.log(recorded.BEGUN, pid=os.getpid(), parallel=self.parallel, **limit)
        try:
            self._all(list(planned))
            end = self._end()
        finally:
            journal.log(recorded.ENDED, reason=end)
        return end

    def _all(self, waiting: list[PlannedCluster]) -> None:
        """Each in its turn: none overtakes another. Returns, or raises a fault of our own, once none is at work."""
        try:
            while waiting and not (self.journal.interrupts() or self.journal.stuck or self._faults):
                if self._may_begin(waiting[0], waiting[1:]):
                    self._begin(waiting.pop(0), waiting)
                else:
                    self._hear()
        finally:
            while self._at_work:
                self._hear()
        if self._faults:
            raise self._faults[0]

    def _end(self) -> str:
        if self.journal.interrupts():
            return INTERRUPTED
        order = (recorded.FAILED, BUDGET, LIFETIME)
        return next((word for word in order if word in self.journal.ends), COMPLETE)

    # What may begin beside what is at work

    def _may_begin(self, item: PlannedCluster, later: Sequence[PlannedCluster]) -> bool:
        """Whether the next one need not wait until another is over."""
        if not self._at_work:
            return True
        full = len(self._at_work) >= self.parallel
        alone = item.offer.here or any(each.offer.here for each in self._at_work.values())
        if full or alone or self._lacks_quota(item):
            return False
        return not self._too_small(item, self._allowance(item, later))

    def _lacks_quota(self, item: PlannedCluster) -> bool:
        """Whether those at work take of a quota what the next one needs."""
        at_work = [each.offer.quota for each in self._at_work.values()]
        taken = {name: sum(quota.get(name, (0.0, 0.0))[0] for quota in at_work) for name in item.offer.quota}
        return any(taken[name] + needed > free for name, (needed, free) in item.offer.quota.items())

    def _allowance(self, item: PlannedCluster, later: Sequence[PlannedCluster]) -> Allowance:
        """What the next one may cost: what is left, but for a part for those that are soon at work beside it."""
        left, cluster = self.journal.left(), self.journal.cluster(item.name)
        so_far = accrued(cluster, self.journal.utc_now())
        room = self.parallel - len(self._at_work) - 1
        beside = [each.offer for each in itertools.islice(self._soon(later), room)]
        part = Allowance(so_far + share(left, item.offer, beside), shared=bool(beside or self._at_work))
        if self._at_work or not self._too_small(item, part):
            return part
        return Allowance(so_far + left)  # the others wait

    def _soon(self, later: Sequence[PlannedCluster]) -> Iterator[PlannedCluster]:
        """Those that cost money and may be at work beside another."""
        for each in itertools.takewhile(lambda each: not each.offer.here, later):
            if not each.skip and each.offer.price is not None and not self._is_swept(each):
                yield each

    def _too_small(self, item: PlannedCluster, allowance: Allowance) -> str:
        """Why that much does not pay for the start and the end of the next one; empty where it does."""
        so_far = accrued(self.journal.cluster(item.name), self.journal.utc_now())
        return self.journal.budget.too_small(allowance.amount - so_far, item.name, item.offer)

    def _is_swept(self, item: PlannedCluster) -> bool:
        return self.journal.cluster(item.name).state == recorded.SWEPT

    # One cluster

    def _begin(self, item: PlannedCluster, later: Sequence[PlannedCluster]) -> None:
        """Begins the work on it, unless it is swept or skipped."""
        journal = self.journal
        if self._is_swept(item):
            journal.say(f"{item.name}: swept already, {journal.cluster(item.name).sweep}")
            return
        allowance = self._allowance(item, later)
        late = "" if item.skip else self._too_small(item, allowance)
        if item.skip or late:
            journal.ends |= {BUDGET} if late else set()
            self._do(item, lambda: self._skip(item.name, item.skip or late))
            return
        journal.held[item.name] = 0.0 if item.offer.price is None else allowance.amount
        self._do(item, lambda: self.work(item.name, allowance).carry_through(item.offer))

    def _skip(self, name: str, reason: str) -> None:
        before = self.journal.cluster(name)
        self.journal.say(f"{name} is skipped: {reason}")
        if before.since is not None:
            self.work(name).leave()
        if before.sweep is None:  # one with records stays partial
            self.journal.log(recorded.SKIPPED, cluster=name, reason=reason)

    def _do(self, item: PlannedCluster, action: Callable[[], None]) -> None:
        """Here and now, or beside what else is at work."""
        if self.parallel == 1:
            action()
            self.journal.held.pop(item.name, None)
            return
        self._at_work[item.name] = item
        threading.Thread(target=self._beside, args=(item.name, action), name=item.name).start()

    def _beside(self, name: str, action: Callable[[], None]) -> None:
        fault = None
        try:
            action()
        except BaseException as error:
            fault = error
        self.news.put(WorkOver(name, fault))

    def _hear(self) -> None:
        """Waits for what is new: a cluster whose work is over, or a person who asks to end all."""
        news = self.news.get()
        if not isinstance(news, WorkOver):
            self.interrupt(news)
            return
        del self._at_work[news.name]
        if self.journal.stuck != news.name:  # else it goes on costing
            self.journal.held.pop(news.name, None)
        if news.fault is not None:
            self._faults.append(news.fault)
