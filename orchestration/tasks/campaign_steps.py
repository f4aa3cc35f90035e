"""The steps of a campaign with a cluster, by what `fab up`, `push`, `check`, `sweep`, `pull` and `down` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration.campaign.steps import CampaignSteps, SweepEnd
from orchestration.clusters.given import with_given
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator, Person
from orchestration.paths import SweepPaths
from orchestration.sweep import resume
from orchestration.sweep.locks import Turn
from orchestration.sweep.prepare import Request, Surroundings, Sweep, prepare
from orchestration.tables import TextTable
from orchestration.tasks.carried_out import carry_out_sweep
from orchestration.tasks.common import find_living, known_clusters, surroundings, utc_now
from orchestration.tasks.nodes import check_cluster, push_to
from orchestration.tasks.printing import print_line
from orchestration.tasks.pull import pull_sweep


def found_standing(cluster: str) -> Inventory | None:
    """The inventory of a cluster that is up, even past its lifetime."""
    try:
        return known_clusters().find(cluster, utc_now())
    except Refusal:
        return None


class AgreedPerson(Person):
    """The person who has agreed to the whole campaign: nothing is shown or asked again."""

    def show(self, tables: Sequence[TextTable]) -> None:
        """Shown before."""

    def agrees(self, question: str) -> bool:
        self.say(f"{question} Yes, as for the whole campaign.")
        return True


def steps_of(request: Request, us: Operator) -> ClusterSteps:
    """Those with the clusters of a campaign that the person has agreed to; `request` is that of each sweep."""
    return ClusterSteps(request, replace(us, person=AgreedPerson(us.person.console, True, None)))


@dataclass(frozen=True)
class ClusterSteps(CampaignSteps):
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
        if found_standing(cluster) is not None:
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
