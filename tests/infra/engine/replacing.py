"""What the real provider does with a changed property: another resource, a change in place, or a refusal.

From the schemas of hashicorp/terraform-provider-google at e03b7622 (2026-08-21), google/services/compute, which the
real provider bridges: `ForceNew` there is a replacement here. The instance's file is resource_compute_instance.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.infra.engine.shapes import UNKNOWN

# A path stands for all below it. What is in no list is changed in place.
REPLACES = {
    "Instance": {
        "name",
        "project",
        "zone",
        "bootDisk.deviceName",
        "bootDisk.initializeParams.image",
        "bootDisk.initializeParams.type",
        "bootDisk.mode",
        "bootDisk.source",
        "hostname",
        "networkInterfaces.nicType",
        "networkInterfaces.queueCount",
        "networkPerformanceConfig",
        "params",
        "scheduling.maxRunDuration",
        "scheduling.preemptible",
        "scheduling.provisioningModel",
    },
    "Address": {"name", "project", "region", "address", "addressType", "purpose", "subnetwork", "network"},
    "Subnetwork": {"name", "project", "region", "network"},  # and a range that is not within the new one
    "Router": {"name", "project", "region", "network"},
    "RouterNat": {"name", "project", "region", "router"},
    "Firewall": {"name", "project", "direction"},
    "Network": {"name", "project", "autoCreateSubnetworks"},  # the MTU is changed in place
    "ResourcePolicy": {"name", "project", "region", "groupPlacementPolicy"},
}
# needToStopInstanceBeforeUpdating, there: refused while the node runs and allow_stopping_for_update is not set
STOPS = {
    "advancedMachineFeatures",
    "enableDisplay",
    "machineType",
    "minCpuPlatform",
    "networkInterfaces.network",
    "networkInterfaces.stackType",
    "networkInterfaces.subnetwork",
    "serviceAccount",
    "shieldedInstanceConfig",
}
SIZE = "bootDisk.initializeParams.size"
STOPPING = (
    "Changing the machine_type, min_cpu_platform, service_account, enable_display, shielded_instance_config, "
    "scheduling.node_affinities, scheduling.max_run_duration or network_interface.[#d].(network/subnetwork/"
    "subnetwork_project) or advanced_machine_features on a started instance requires stopping it. To acknowledge this, "
    "please set allow_stopping_for_update = true in your config."
)


def changed(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of every property that differs, as deep as both have it: a[0].b."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from changed(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changed(one, other, f"{path}[{number}]")
    elif old != new:
        yield path


def replacing(noun: str, path: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a change at that path is another resource."""
    plain = re.sub(r"\[\d+\]", "", path)
    if noun == "Subnetwork" and plain == "ipCidrRange":
        return not _within(old["ipCidrRange"], new["ipCidrRange"])
    if noun == "Instance" and plain == "networkInterfaces":  # how many there are, or that nothing is known of them
        return True
    if noun == "Instance" and plain == "networkInterfaces.networkIp":  # in the same subnet it cannot move
        both = [each["networkInterfaces"][0].get("subnetwork") for each in (old, new)]
        return both[0] == both[1] and new["networkInterfaces"][0]["networkIp"] != UNKNOWN
    return any(_of(plain, key) for key in REPLACES[noun])


def refusal(noun: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """Why a change in place fails, in the provider's or Google's words; empty where it does not."""
    paths = {re.sub(r"\[\d+\]", "", path) for path in changed(old, new)}
    if noun != "Instance":
        return ""
    if any(_of(path, key) for path in paths for key in STOPS):
        return STOPPING
    if SIZE in paths and _size(new) < _size(old):
        return f"googleapi: Error 400: Invalid value for field 'sizeGb': '{_size(new):g}'. Disk size cannot be reduced."
    return ""


def _of(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def _size(inputs: dict[str, Any]) -> float:
    return float(inputs["bootDisk"]["initializeParams"]["size"])


def _within(old: str, new: str) -> bool:
    import ipaddress

    return new != UNKNOWN and ipaddress.ip_network(old).subnet_of(ipaddress.ip_network(new))
