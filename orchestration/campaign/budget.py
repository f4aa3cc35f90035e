"""What a campaign may still spend, and until when that pays for a cluster. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer
from workload.record.campaign import CampaignCluster, RecordedCampaign

DOWN_S = 180.0  # kept back of the budget: a cluster bills until it is gone


@dataclass(frozen=True)
class Budget:
    """What all clusters together may cost, in the campaign's currency; `max_cost` is None where nothing limits it."""

    max_cost: float | None
    currency: str | None

    def left(self, campaign: RecordedCampaign | None, utc: str, held: Mapping[str, float] | None = None) -> float:
        """What is neither spent at that time nor held back; infinite without a limit. `campaign` is None before it.

        `held` is what clusters at work may cost in all: that of them which they have not cost yet is held back.
        """
        if self.max_cost is None:
            return math.inf
        if campaign is None:
            return self.max_cost
        bound = [max(accrued(each, utc), (held or {}).get(each.name, 0.0)) for each in campaign.clusters]
        return self.max_cost - campaign.spent - sum(bound)

    def too_small(self, left: float, name: str, offer: ClusterOffer) -> str:
        """Why that much does not pay for bringing the cluster up and measuring on it; empty where it does."""
        price = None if offer.price is None else offer.price.model_dump()
        seconds, needed_s = lasts_s(left, price), offer.shortest_s + (DOWN_S if offer.made else 0.0)
        if price is None or seconds > needed_s:
            return ""
        least = needed_s / 3600 * price["amount_per_hour"]
        return (
            f"{max(0.0, left):.2f} {self.currency} are left for {name}, and its start and end alone take {least:.2f} "
            f"at {price['amount_per_hour']:.3f} an hour"
        )


def share(left: float, offer: ClusterOffer, beside: Sequence[ClusterOffer]) -> float:
    """What of the rest a cluster may cost that is paid for together with others: all of them for equally long."""
    own, *others = [0.0 if each.price is None else each.price.amount_per_hour for each in (offer, *beside)]
    return left * own / (own + sum(others)) if own else 0.0


def ends_at(left: float, price: Mapping[str, Any] | None, made: bool, utc: str) -> str | None:
    """When work on a cluster must end for that much to pay for it, and for taking it down; None if never."""
    seconds = lasts_s(left, price) - (DOWN_S if made else 0.0)
    return None if math.isinf(seconds) else later(utc, max(0.0, seconds))


def lasts_s(amount: float, price: Mapping[str, Any] | None) -> float:
    """For how many seconds the amount pays for a cluster; infinite where that costs nothing."""
    if price is None or price["amount_per_hour"] <= 0.0:
        return math.inf
    return amount / float(price["amount_per_hour"]) * 3600.0


def accrued(cluster: CampaignCluster, utc: str) -> float:
    """What a cluster has cost since work on it began that is not over; nothing after it ended by itself."""
    if cluster.since is None or cluster.price is None:
        return 0.0
    ends = [utc, *filter(None, [cluster.expires_at])]
    seconds = min(lifetime_left_s(end, cluster.since) for end in ends)
    return max(0.0, seconds) / 3600.0 * float(cluster.price["amount_per_hour"])


def later(utc: str, seconds: float) -> str:
    """The time so many seconds after another, ISO 8601."""
    found = datetime.datetime.fromisoformat(utc) + datetime.timedelta(seconds=int(seconds))
    return found.isoformat().replace("+00:00", "Z")
