"""What a campaign spent on which cluster, and how each of them ended."""

from __future__ import annotations

from collections.abc import Iterator

from results.formats import NONE, number
from results.table import Column, Table, build, hidden, plain, shown
from workload.record.campaign import FAILED, SKIPPED, CampaignCluster, RecordedCampaign


def table(campaign: RecordedCampaign) -> Table:
    """One row a cluster, in the campaign's order."""
    currency = campaign.currency or "no price"
    found: list[Column[CampaignCluster]] = [
        plain("Cluster", "cluster", lambda each: each.name),
        plain("How it ended", "state", lambda each: each.state),
        shown("Step", "step", lambda each: each.step, lambda text: text or NONE),
        shown("Why", "reason", lambda each: each.reason, lambda text: text or NONE),
        shown("Sweep", "sweep", lambda each: each.sweep.name if each.sweep else "", lambda text: text or NONE),
        shown(f"An hour ({currency})", "amount_per_hour", _per_hour, number),
        shown(f"Spent ({currency})", "spent", lambda each: each.spent, lambda spent: number(spent, 3)),
        hidden("up_since", lambda each: each.since or ""),
    ]
    return build("What was spent on what", found, campaign.clusters, name="campaign", notes=list(_notes(campaign)))


def stopped(campaign: RecordedCampaign) -> Iterator[str]:
    """A line for each cluster that failed or was skipped, with the reason and what it cost."""
    for each in campaign.clusters:
        cost = "" if campaign.currency is None else f"; {number(each.spent, 3)} {campaign.currency} were spent on it"
        if each.state == FAILED:
            yield f"{each.name} failed at {each.step}: {each.reason}{cost}."
        elif each.state == SKIPPED:
            yield f"{each.name} was skipped: {each.reason}."


def _per_hour(each: CampaignCluster) -> float | None:
    return None if each.price is None else float(each.price["amount_per_hour"])


def _notes(campaign: RecordedCampaign) -> Iterator[str]:
    if campaign.currency is not None:
        limit = f", of at most {number(campaign.max_cost, 3)}" if campaign.max_cost is not None else ""
        yield (
            f"{number(campaign.spent, 3)} {campaign.currency} were spent{limit}: from the start of each cluster to its "
            "end, by the price of the whole cluster."
        )
    for each in campaign.clusters:
        if each.since is not None:
            yield f"{each.name} may still be up, since {each.since}: what it costs from then on is not counted."
    if campaign.ended != "complete":
        yield f"The campaign is not complete: {campaign.ended or 'it is at work, or was killed'}."
