"""What planned changes would do to nodes that stand: which of them would be replaced or stopped, and for what. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.provision.cloud.clients.events import ANEW, CHANGE, Change, Difference

INSTANCE = "Instance"
SIZE = "bootDisk.initializeParams.size"
# Google changes these of a stopped node alone, and the provider stops none that it was not told to
# (hashicorp/terraform-provider-google, resource_compute_instance.go, needToStopInstanceBeforeUpdating)
STOPPED_ALONE = (
    "advancedMachineFeatures",
    "enableDisplay",
    "machineType",
    "minCpuPlatform",
    "networkInterfaces.ipv6AccessConfigs",
    "networkInterfaces.network",
    "networkInterfaces.stackType",
    "networkInterfaces.subnetwork",
    "resourcePolicies",
    "serviceAccount",
    "shieldedInstanceConfig",
)
SETTINGS = {
    "advancedMachineFeatures": "threads_per_core",
    "bootDisk.initializeParams.image": "image",
    "bootDisk.initializeParams.type": "disk_type",
    SIZE: "disk_gib",
    "machineType": "machine_type",
    "minCpuPlatform": "min_cpu_platform",
    "networkInterfaces.ipv6AccessConfigs": "ssh_from",
    "networkInterfaces.networkIp": "subnet",
    "networkInterfaces.stackType": "ssh_from",
    "networkInterfaces": "subnet",
    "resourcePolicies": "placement",
    "scheduling.maxRunDuration": "lifetime",
    "scheduling": "spot",
    "zone": "zone",
}


@dataclass(frozen=True)
class Disruption:
    """A property for which nodes would be replaced, or would have to stop; `node` is Google's name."""

    node: str
    urn: str
    difference: Difference


def disruptions(changes: Sequence[Change]) -> list[Disruption]:
    """Every reason for which a node that stands would not stay as it is; empty where all go on."""
    found = []
    for change in changes:
        if change.noun == INSTANCE and change.what in (ANEW, CHANGE):
            reasons = [each for each in change.differences if change.what == ANEW or _stops(each)]
            causes = [each for each in reasons if each.replaces] or reasons
            found += [Disruption(change.name, change.urn, each) for each in causes]
            if change.what == ANEW and not causes:
                found.append(Disruption(change.name, change.urn, Difference("", None, None, replaces=True)))
    return found


def told(found: Sequence[Disruption]) -> str:
    """One line: nodes, properties, their settings, old and new values."""
    nodes = ordered({each.node for each in found})
    who = nodes[0] if len(nodes) == 1 else f"{nodes[0]} and {len(nodes) - 1} other nodes"
    what = dict.fromkeys(words for each in found if (words := _told(each.difference)))
    return f"{who} ({'; '.join(what) or 'for another resource of theirs'})"


def ordered(names: set[str] | Sequence[str]) -> list[str]:
    """Names in the order of the numbers in them: node2 before node10."""
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def setting_of(path: str) -> str:
    """The stack's setting behind a property of a node, empty where there is none."""
    return next((SETTINGS[key] for key in sorted(SETTINGS, key=len, reverse=True) if _within(path, key)), "")


def _told(difference: Difference) -> str:
    if not difference.path:
        return ""
    key = setting_of(difference.plain)
    name = f"{difference.path}, convscale:{key}" if key else difference.path
    return f"{name}: {_value(difference.old)} -> {_value(difference.new)}"


def _value(value: object) -> str:
    return "none" if value is None else str(value)[:200]


def _stops(difference: Difference) -> bool:
    """Whether a change in place fails on a node that runs."""
    if difference.plain == SIZE:  # a disk grows, and never shrinks
        return _number(difference.new) < _number(difference.old)
    return any(_within(difference.plain, key) for key in STOPPED_ALONE)


def _within(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
