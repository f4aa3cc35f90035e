"""What a campaign may still spend, and until when that pays for a cluster. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
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

    def left(self, campaign: RecordedCampaign | None, utc: str) -> float:
        """What is not spent at that time, clusters that are up included; infinite without a limit. None: not begun."""
        if self.max_cost is None:
            return math.inf
        if campaign is None:
            return self.max_cost
        return self.max_cost - campaign.spent - sum(accrued(each, utc) for each in campaign.clusters)

    def ends_at(self, campaign: RecordedCampaign, price: Mapping[str, Any] | None, made: bool, utc: str) -> str | None:
        """When work on a cluster must end for the rest to pay for it, and for taking it down; None if never."""
        seconds = lasts_s(self.left(campaign, utc), price) - (DOWN_S if made else 0.0)
        return None if math.isinf(seconds) else later(utc, max(0.0, seconds))

    def too_small(self, campaign: RecordedCampaign | None, name: str, offer: ClusterOffer, utc: str) -> str:
        """Why the rest does not pay for bringing the cluster up and measuring on it; empty where it does."""
        price = None if offer.price is None else offer.price.model_dump()
        left = self.left(campaign, utc)
        seconds, needed_s = lasts_s(left, price), offer.shortest_s + (DOWN_S if offer.made else 0.0)
        if price is None or seconds > needed_s:
            return ""
        least = needed_s / 3600 * price["amount_per_hour"]
        return (
            f"{max(0.0, left):.2f} {self.currency} are left for {name}, and its start and end alone take {least:.2f} "
            f"at {price['amount_per_hour']:.3f} an hour"
        )


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
