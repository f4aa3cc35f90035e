"""`fab sweep --clusters`: one study on several clusters, in turn or some at once, under one budget."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.campaign import folder as folders
from orchestration.campaign.budget import Budget
from orchestration.campaign.fit import why_not
from orchestration.campaign.folder import CampaignIdentity
from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.runner import COMPLETE, INTERRUPTED, CampaignRunner
from orchestration.campaign.steps import PlannedCluster
from orchestration.campaign.work import BUDGET, LIFETIME
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal
from orchestration.experiments import load
from orchestration.forecast.datasheet import described_inventory
from orchestration.operator import Operator
from orchestration.paths import RunsFolder
from orchestration.planning import code_version
from orchestration.sweep import resume
from orchestration.sweep.prepare import Request
from orchestration.tables import TextTable
from orchestration.tasks.arguments import positive_amount, positive_count, several_clusters
from orchestration.tasks.campaign_processes import ProcessSteps
from orchestration.tasks.campaign_steps import found_standing, steps_of
from orchestration.tasks.common import ROOT, RUNS, known_clusters, surroundings, utc_now
from orchestration.tasks.printing import print_line, short
from workload.record.campaign import FAILED, SWEPT, CampaignCluster, RecordedCampaign, read_campaign

if TYPE_CHECKING:
    from orchestration.planning.study import LoadedStudy

DEFAULT_STUDY = "quick"
AGAIN = "the same command goes on"
ENDS = {
    COMPLETE: "every cluster is swept, or skipped as planned; --new measures again",
    FAILED: f"a cluster failed; {AGAIN} and tries it again",
    BUDGET: f"the budget does not pay for the rest; {AGAIN} with what is left of it, or a larger --max-cost",
    LIFETIME: f"a cluster's lifetime ended before its study; {AGAIN}",
    INTERRUPTED: f"interrupted; {AGAIN}",
}


@dataclass(frozen=True)
class CampaignQuestion:
    """As a person types it. `request` is that of each sweep, but for its cluster and folder."""

    clusters: str
    max_cost: str
    request: Request
    new: bool = False
    parallel: str = ""


def carry_out_campaign(question: CampaignQuestion, us: Operator, *, dry_run: bool) -> bool:
    """Plans, shows, asks and carries out; false where something failed or is left to do. Raises Refusal."""
    names, limit = several_clusters(question.clusters), positive_amount("--max-cost", question.max_cost)
    parallel = positive_count("--parallel", question.parallel) or 1
    runs = RunsFolder(RUNS)
    _, loaded = load(question.request.study, question.request.overrides)
    identity = _identity(loaded, names)
    before = None if question.new else folders.find(runs, identity)
    plan = CampaignPlan(question.request, names, us, parallel)
    if dry_run:
        plan.offered(limit, before)
        return True
    folder = before or folders.new(runs, identity, utc_now())
    with interruptible() as interrupts, folders.held(folder):
        say = _one_at_a_time(print_line) if parallel > 1 else print_line
        journal = CampaignJournal(folder, Budget(limit, None), utc_now, say, lambda: interrupts.count)
        in_turn = CampaignRunner(steps_of(question.request, us), journal)
        if before is not None:
            in_turn.recover(found_standing)
        planned, journal.budget = plan.agreed(limit, before, loaded.study.name)
        folders.begin(folder, identity, utc_now())
        print_line(f"{'going on with' if before else 'another campaign:'} {short(folder)}")
        if parallel > 1:
            end = _at_once(planned, journal, question.request, parallel, interrupts)
        else:
            end = in_turn.carry_out(planned)
        us.person.show([_summary(journal.campaign)])
    print_line(f"{short(folder)}: {ENDS[end]}")
    return end == COMPLETE and journal.as_planned


def _at_once(
    planned: Sequence[PlannedCluster],
    journal: CampaignJournal,
    request: Request,
    parallel: int,
    interrupts: Interrupts,
) -> str:
    """Carries the campaign out with that many clusters at work at once; returns how it ended, in a word."""
    steps = ProcessSteps(request, journal.say, lambda: interrupts.count)
    runner = CampaignRunner(steps, journal, parallel, steps.interrupt)
    interrupts.tell = runner.news.put
    try:
        return runner.carry_out(planned)
    finally:
        interrupts.tell = None
        steps.close()


def _one_at_a_time(say: Callable[[str], None]) -> Callable[[str], None]:
    """Prints whole lines, whichever thread they come from."""
    guard = threading.Lock()

    def said(line: str) -> None:
        with guard:
            say(line)

    return said


def _identity(loaded: LoadedStudy, names: tuple[str, ...]) -> CampaignIdentity:
    workload = code_version.describe(ROOT).digest
    return CampaignIdentity(loaded.study.name, resume.study_digest(loaded.document), workload, names)


@dataclass(frozen=True)
class CampaignPlan:
    """What is shown and asked before anything is up."""

    request: Request
    names: Sequence[str]
    us: Operator
    parallel: int

    def offered(self, limit: float | None, before: Path | None) -> tuple[list[PlannedCluster], Budget]:
        """Every cluster with its price and quota, shown as a table. Raises Refusal where one cannot be had."""
        recorded = _recorded(before)
        planned = [self._planned(name, recorded.get(name)) for name in self.names]
        currency = _currency(planned)
        budget = Budget(limit, currency or (None if before is None else read_campaign(before).currency))
        if limit is None and currency is not None:
            raise Refusal("--max-cost is missing, and these clusters cost money: give the most that all may cost")
        self.us.person.show([_table(planned, budget, recorded)])
        if all(item.skip for item in planned):
            raise Refusal(f"no cluster can take the study: {planned[0].name}: {planned[0].skip}")
        return planned, budget

    def _planned(self, name: str, before: CampaignCluster | None) -> PlannedCluster:
        provider, utc = known_clusters().provider(name), utc_now()
        if before is not None and before.state == SWEPT:
            return PlannedCluster(name, ClusterOffer(False, 0))
        stands = found_standing(name)
        described = provider.described(name, ROOT) if stands is None else None
        if described is not None:
            stands = described_inventory(name, described, ROOT, utc)
        skip = why_not(stands, self.request, surroundings()) if stands is not None else ""
        if skip and described is not None:  # its price does not matter
            return PlannedCluster(name, ClusterOffer(True, described.count), skip)
        return PlannedCluster(name, provider.offer(name, self.us), skip)

    def agreed(self, limit: float | None, before: Path | None, study: str) -> tuple[list[PlannedCluster], Budget]:
        """What is offered, once the person has agreed to it. Raises Refusal, after naming what may bill meanwhile."""
        try:
            planned, budget = self.offered(limit, before)
            self._check_first(planned, budget, before)
            self._ask(planned, budget, study)
        except Refusal:
            for name in [each.name for each in _recorded(before).values() if each.since is not None and each.made]:
                print_line(f"{name} is still up, and may bill: 'fab down --cluster {name}'")
            raise
        return planned, budget

    def _check_first(self, planned: Sequence[PlannedCluster], budget: Budget, before: Path | None) -> None:
        """Raises Refusal where the budget is too small for the first cluster that is to be swept."""
        recorded = _recorded(before)
        waiting = [item for item in planned if not item.skip and getattr(recorded.get(item.name), "state", "") != SWEPT]
        campaign = None if before is None else read_campaign(before)
        left = budget.left(campaign, utc_now())
        if waiting and (why := budget.too_small(left, waiting[0].name, waiting[0].offer)):
            raise Refusal(f"--max-cost {budget.max_cost:g}: {why}: give more")

    def _ask(self, planned: Sequence[PlannedCluster], budget: Budget, study: str) -> None:
        """Asks once, where a cluster that costs money is to be made. Raises Refusal without a yes."""
        paid = [item.name for item in planned if item.offer.made and item.offer.price is not None and not item.skip]
        most = f"{budget.max_cost or 0.0:g} {budget.currency}"
        how = "one after the other" if self.parallel == 1 else f"at most {self.parallel} at once"
        question = f"Make {', '.join(paid)}, {how}, for {study} and at most {most} in all?"
        if paid and not self.us.person.agrees(question):
            raise Refusal("nothing is made: you did not say yes")


def _recorded(folder: Path | None) -> dict[str, CampaignCluster]:
    """How each cluster stands, of a campaign that goes on."""
    return {} if folder is None else {each.name: each for each in read_campaign(folder).clusters}


def _currency(planned: Sequence[PlannedCluster]) -> str | None:
    """The one currency of all prices, None where there is none. Raises Refusal where they differ."""
    prices = {item.name: item.offer.price for item in planned}
    found = {price.currency: name for name, price in prices.items() if price is not None}
    if len(found) > 1:
        said = " and ".join(f"{name} in {currency}" for currency, name in found.items())
        raise Refusal(f"prices are of several currencies ({said}), and a campaign has one budget: leave some out")
    return next(iter(found), None)


def _table(planned: Sequence[PlannedCluster], budget: Budget, recorded: Mapping[str, CampaignCluster]) -> TextTable:
    rows = []
    for item in planned:
        price, offer, before = item.offer.price, item.offer, recorded.get(item.name)
        fate = "made, then taken down" if offer.made else "stands, and stays"
        if before is not None and before.state == SWEPT:
            fate = "swept already"
        elif before is not None and before.since is not None:
            fate = "up, then taken down"
        rate = "" if price is None else f"{price.amount_per_hour:.3f} {price.currency}"
        lives = "" if offer.lifetime_s is None else f"{offer.lifetime_s / 3600:g} h"
        rows.append([item.name, str(offer.nodes or ""), rate, lives, f"skipped: {item.skip}" if item.skip else fate])
    limited = budget.max_cost is not None and budget.currency is not None
    note = f"at most {budget.max_cost:g} {budget.currency} in all" if limited else ""
    return TextTable(("cluster", "nodes", "price an hour", "lifetime", "becomes"), rows, "Campaign", note)


def _summary(campaign: RecordedCampaign) -> TextTable:
    """What became of each cluster, and what was spent on it."""
    rows = [
        [
            each.name,
            each.state,
            f"{each.spent:.2f} {campaign.currency}" if each.price is not None else "",
            "" if each.sweep is None else short(each.sweep),
            f"{each.step}: {each.reason}" if each.step else each.reason,
        ]
        for each in campaign.clusters
    ]
    spent = f"{campaign.spent:.2f} {campaign.currency} spent in all" if campaign.currency else ""
    return TextTable(("cluster", "state", "spent", "sweep", "why"), rows, "Campaign", spent)


@dataclass
class Interrupts:
    """How often the person asked to end, by Ctrl-C or SIGTERM.

    Each time it ends what the main thread is at; or else tells that number to `tell`, where there is one.
    """

    count: int = 0
    tell: Callable[[int], None] | None = None

    def hear(self, *_: object) -> None:
        """The signals' handler."""
        self.count += 1
        if self.tell is None:
            raise KeyboardInterrupt
        self.tell(self.count)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Inside it, SIGTERM ends what is at work as Ctrl-C does; yields how often either came."""
    interrupts = Interrupts()
    before = {number: signal.signal(number, interrupts.hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
