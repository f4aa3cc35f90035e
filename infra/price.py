"""What a cluster costs an hour and until its end, by item, and what it needs of the project's quota. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from machines import Catalogue, Rate
from profiles import Profile

DISK_QUOTA = {"pd-standard": "DISKS_TOTAL_GB", "hyperdisk-balanced": "HDB_TOTAL_GB"}


@dataclass(frozen=True)
class Item:
    """So many units of something that is billed."""

    item: str
    count: int
    rate: Rate

    @property
    def amount_per_hour(self) -> float:
        amount = self.count * self.rate.amount_per_hour
        return amount if self.rate.most_per_hour is None else min(amount, self.rate.most_per_hour)


def items(profile: Profile, catalogue: Catalogue) -> list[Item]:
    """Machines, disks, addresses and NAT; traffic to the internet is not in it."""
    behind_nat = needing_nat(profile)
    kind = "spot" if profile.spot else "on demand"
    found = [
        Item(f"{profile.machine.name}, {kind}", profile.nodes, profile.rate),
        Item(f"disk, {profile.disk_type}", profile.nodes * profile.disk_gib, profile.disk_rate),
        Item("external address", int(has_external_v4(profile)) + int(behind_nat > 0), catalogue.address),
        Item("NAT", behind_nat, catalogue.nat),
    ]
    return [item for item in found if item.count]


def needing_nat(profile: Profile) -> int:
    """Nodes without an external IPv4 address: their packages come through NAT."""
    return profile.nodes - int(has_external_v4(profile))


def has_external_v4(profile: Profile) -> bool:
    """Whether rank 0's node has an external IPv4 address."""
    return profile.external_address and profile.versions != {6}


def document(profile: Profile, catalogue: Catalogue) -> dict[str, Any]:
    """The stack's output `price`."""
    billed = items(profile, catalogue)
    per_hour = sum(item.amount_per_hour for item in billed)
    return {
        "currency": catalogue.currency,
        "amount_per_hour": round(per_hour, 6),
        "amount_for_lifetime": round(per_hour * profile.lifetime_s / 3600, 6),
        "spot": profile.spot,
        "items": [
            {
                "item": item.item,
                "count": item.count,
                "unit": item.rate.unit,
                "amount_per_hour": round(item.amount_per_hour, 6),
                "source": item.rate.source,
                "date": item.rate.date,
            }
            for item in billed
        ],
    }


def quota(profile: Profile) -> list[dict[str, Any]]:
    """The stack's output `quota`: Google's names of what is limited, and how much of it the cluster takes.

    Where `instead_of` names another metric, Google counts the one or the other: spot machines count as preemptible
    once the project has any quota of those.
    """
    vcpus = profile.nodes * profile.machine.vcpus
    behind_nat = int(needing_nat(profile) > 0)
    needed = {
        profile.machine.cpu_quota: vcpus,
        "CPUS_ALL_REGIONS": vcpus,
        "INSTANCES": profile.nodes,
        DISK_QUOTA.get(profile.disk_type, "SSD_TOTAL_GB"): profile.nodes * profile.disk_gib,
        # an address that NAT takes by itself counts as static and as in use
        "IN_USE_ADDRESSES": int(has_external_v4(profile)) + behind_nat,
        "STATIC_ADDRESSES": behind_nat,
        "INTERNAL_ADDRESSES": profile.nodes,
        "RESOURCE_POLICIES": int(profile.compact),
    }
    found: list[dict[str, Any]] = [{"metric": metric, "needed": count} for metric, count in needed.items() if count]
    if profile.spot:
        found.append({"metric": "PREEMPTIBLE_CPUS", "needed": vcpus, "instead_of": profile.machine.cpu_quota})
    return found + _quota_of_gpus(profile)


def _quota_of_gpus(profile: Profile) -> list[dict[str, Any]]:
    if (gpus := profile.machine.gpus) is None:
        return []
    needed = profile.nodes * gpus.count
    found: list[dict[str, Any]] = [{"metric": word, "needed": needed} for word in (gpus.quota, "GPUS_ALL_REGIONS")]
    if profile.spot:
        found.append({"metric": gpus.spot_quota, "needed": needed, "instead_of": gpus.quota})
    return found
