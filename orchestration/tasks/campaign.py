"""`fab sweep --clusters`: one study on several clusters in turn, under one budget."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.campaign import folder as folders
from orchestration.campaign.budget import Budget
from orchestration.campaign.fit import why_not
from orchestration.campaign.folder import CampaignIdentity
from orchestration.campaign.journal import CampaignJournal
from orchestration.campaign.runner import COMPLETE, INTERRUPTED, CampaignRunner
from orchestration.campaign.steps import PlannedCluster, SweepEnd
from orchestration.campaign.work import BUDGET, LIFETIME
from orchestration.clusters.given import with_given
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer, UpFlags
from orchestration.errors import Refusal
from orchestration.experiments import load
from orchestration.forecast.datasheet import described_inventory
from orchestration.operator import Operator, Person
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.planning import code_version
from orchestration.sweep import resume
from orchestration.sweep.locks import Turn
from orchestration.sweep.prepare import Request, Surroundings, Sweep, prepare
from orchestration.tables import TextTable
from orchestration.tasks.arguments import positive_amount, several_clusters
from orchestration.tasks.carried_out import carry_out_sweep
from orchestration.tasks.common import ROOT, RUNS, find_living, known_clusters, surroundings, utc_now
from orchestration.tasks.nodes import check_cluster, push_to
from orchestration.tasks.printing import print_line, short
from orchestration.tasks.pull import pull_sweep
from workload.record.campaign import FAILED, SWEPT, CampaignCluster, RecordedCampaign, read_campaign

if TYPE_CHECKING:
    from orchestration.planning.study import LoadedStudy

DEFAULT_STUDY = "quick"
AGAIN = "the same command goes on"
ENDS = {
    COMPLETE: "every cluster is swept, or skipped as planned; --new measures again",
    FAILED: f"a cluster failed; {AGAIN} and tries it again",
    BUDGET: f"the budget is spent; {AGAIN} with a larger --max-cost",
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


def carry_out_campaign(question: CampaignQuestion, us: Operator, *, dry_run: bool) -> bool:
    """Plans, shows, asks and carries out; false where something failed or is left to do. Raises Refusal."""
    names, limit = several_clusters(question.clusters), positive_amount("--max-cost", question.max_cost)
    runs = RunsFolder(RUNS)
    experiment, loaded = load(question.request.study, question.request.overrides)
    identity = _identity(loaded, names)
    before = None if question.new else folders.find(runs, identity)
    plan = CampaignPlan(question.request, names, experiment.forebears(loaded) is None, us)
    if dry_run:
        plan.offered(limit, before)
        return True
    folder = before or folders.new(runs, identity, utc_now())
    with interruptible() as interrupts, folders.held(folder):
        steps = ClusterSteps(question.request, replace(us, person=_agreed(us.person)))
        journal = CampaignJournal(folder, Budget(limit, None), utc_now, print_line, interrupts)
        runner = CampaignRunner(steps, journal)
        if before is not None:
            runner.recover(_found)
        planned, journal.budget = plan.agreed(limit, before, loaded.study.name)
        folders.begin(folder, identity, utc_now())
        print_line(f"{'going on with' if before else 'another campaign:'} {short(folder)}")
        end = runner.carry_out(planned)
        us.person.show([_summary(journal.campaign)])
    print_line(f"{short(folder)}: {ENDS[end]}")
    return end == COMPLETE and journal.as_planned


def _identity(loaded: LoadedStudy, names: tuple[str, ...]) -> CampaignIdentity:
    workload = code_version.describe(ROOT).digest
    return CampaignIdentity(loaded.study.name, resume.study_digest(loaded.document), workload, names)


def _found(cluster: str) -> Inventory | None:
    """The inventory of a cluster that is up, even past its lifetime."""
    try:
        return known_clusters().find(cluster, utc_now())
    except Refusal:
        return None


@dataclass(frozen=True)
class CampaignPlan:
    """What is shown and asked before anything is up. `judged`: whether runs' memory can be told beforehand."""

    request: Request
    names: Sequence[str]
    judged: bool
    us: Operator

    def offered(self, limit: float | None, before: Path | None) -> tuple[list[PlannedCluster], Budget]:
        """Every cluster with its price and quota, shown as a table. Raises Refusal where one cannot be had."""
        recorded = _recorded(before)
        planned = [self._planned(name, recorded.get(name)) for name in self.names]
        currency = _currency(planned)
        budget = Budget(limit, currency or (None if before is None else read_campaign(before).currency))
        if limit is None and currency is not None:
            raise Refusal("--max-cost is missing, and these clusters cost money: give the most that all may cost")
        self.us.person.show([_table(planned, budget, recorded)])
        return planned, budget

    def _planned(self, name: str, before: CampaignCluster | None) -> PlannedCluster:
        provider, utc = known_clusters().provider(name), utc_now()
        if before is not None and before.state == SWEPT:
            return PlannedCluster(name, ClusterOffer(False, 0))
        stands = _found(name)
        described = provider.described(name, ROOT) if stands is None else None
        if described is not None:
            stands = described_inventory(name, described, ROOT, utc)
        skip = why_not(stands, self.request, surroundings()) if stands is not None and self.judged else ""
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
        if waiting and (why := budget.too_small(campaign, waiting[0].name, waiting[0].offer, utc_now())):
            raise Refusal(f"--max-cost {budget.max_cost:g}: {why}: give more")

    def _ask(self, planned: Sequence[PlannedCluster], budget: Budget, study: str) -> None:
        """Asks once, where a cluster that costs money is to be made. Raises Refusal without a yes."""
        paid = [item.name for item in planned if item.offer.made and item.offer.price is not None and not item.skip]
        most = f"{budget.max_cost or 0.0:g} {budget.currency}"
        question = f"Make {', '.join(paid)}, one after the other, for {study} and at most {most} in all?"
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


# What is done with a cluster


class AgreedPerson(Person):
    """The person who has agreed to the whole campaign: nothing is shown or asked again."""

    def show(self, tables: Sequence[TextTable]) -> None:
        """Shown before."""

    def agrees(self, question: str) -> bool:
        self.say(f"{question} Yes, as for the whole campaign.")
        return True


def _agreed(person: Person) -> AgreedPerson:
    return AgreedPerson(person.console, True, None)


@dataclass(frozen=True)
class ClusterSteps:
    """The steps of a campaign, by what `fab up`, `check`, `push`, `sweep`, `pull` and `down` do."""

    request: Request
    us: Operator

    def up(self, cluster: str, offer: ClusterOffer, most: float | None) -> Inventory:
        if offer.made:
            known_clusters().provider(cluster).up(cluster, UpFlags(budget=most), self.us)
        return find_living(cluster)

    def check(self, cluster: str) -> None:
        check_cluster(self._request(find_living(cluster), cluster), in_part=True)

    def push(self, cluster: str) -> None:
        if find_living(cluster).executor == "ssh":
            push_to(cluster)

    def sweep(self, cluster: str, ends_at: str | None, folder: Path | None, begun: Callable[[Path], None]) -> SweepEnd:
        found, around = find_living(cluster), surroundings()
        request = self._request(found, cluster)
        if ends_at is not None and (found.expires_at is None or lifetime_left_s(found.expires_at, ends_at) > 0):
            found = found.model_copy(update={"expires_at": ends_at})
            around = replace(around, clusters=with_given(around.clusters, cluster, found))
        prepared = _prepared(request, around, folder)
        paths, result = carry_out_sweep(prepared, begun)
        records = resume.records(paths)
        complete = not any(resume.left_over(records.get(item.run.run_id)) for item in prepared.every_run(paths))
        return SweepEnd(complete, result.counts, result.as_planned)

    def pull(self, cluster: str, folder: Path) -> None:
        if _found(cluster) is not None:
            pull_sweep(cluster, SweepPaths(folder), self.us)

    def down(self, cluster: str) -> None:
        known_clusters().provider(cluster).down(cluster, False, self.us)

    def _request(self, found: Inventory, cluster: str) -> Request:
        """That of a sweep on the cluster."""
        turn = self.request.turn if found.is_this_machine else Turn()
        return replace(self.request, cluster=cluster, turn=turn)


def _prepared(request: Request, around: Surroundings, folder: Path | None) -> Sweep:
    """The sweep in the folder, which goes on; another one where there is none, or where its machines changed since.

    Raises Refusal.
    """
    if folder is not None:
        found = prepare(replace(request, out=folder), around)
        try:
            found.find()
            return found
        except Refusal as refusal:
            print_line(f"another sweep is begun: {refusal}")
    return prepare(replace(request, new=True), around)


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """Inside it, SIGTERM ends what is at work as Ctrl-C does; yields how often either came."""
    count = 0

    def interrupt(*_: object) -> None:
        nonlocal count
        count += 1
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
