"""Resources as Pulumi names their properties -> facts for rules.py.

Every type that we use has its reader; any other of Google's is a broken rule, for no rule covers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules import Fact, NodeFact, Opening, Thing

PLACEMENT = "gcp:compute/resourcePolicy:ResourcePolicy"
SCHEDULES = {"snapshotSchedulePolicy", "instanceSchedulePolicy", "diskConsistencyGroupPolicy", "workloadPolicy"}
LABELLED = {"gcp:compute/address:Address"}
PLAIN = {
    "gcp:compute/network:Network",
    "gcp:compute/resourcePolicy:ResourcePolicy",
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:compute/router:Router",
    "gcp:compute/routerNat:RouterNat",
    PLACEMENT,
}
GOOGLE = "https://www.googleapis.com/compute/v1/"  # how Google itself begins the name of an image
FIREWALL = "gcp:compute/firewall:Firewall"
INSTANCE = "gcp:compute/instance:Instance"


class UncoveredError(ValueError):
    """A resource that no rule covers."""


def read(kind: str, properties: Mapping[str, Any]) -> Fact | None:
    """The fact of a resource; None for Pulumi's own and our components. Raises UncoveredError."""
    if kind.startswith(("pulumi:", "convscale:")):
        return None
    name = str(properties.get("name") or "")
    if kind == FIREWALL:
        if properties.get("direction") == "EGRESS" or properties.get("denies"):
            raise UncoveredError(f"{name}: a firewall rule of ours lets in, and nothing else")
        return opening(properties)
    if kind == INSTANCE:
        return _node(name, properties)
    if kind in LABELLED:
        if properties.get("addressType") != "INTERNAL":
            raise UncoveredError(f"{name}: an external address may only be a node's own, which ends with it")
        return Thing(name, dict(properties.get("labels") or {}))
    if kind == PLACEMENT and set(properties) & SCHEDULES:
        raise UncoveredError(f"{name}: a resource policy of ours places nodes, and nothing else")
    if kind in PLAIN:
        return Thing(name, None)
    raise UncoveredError(f"{name or kind}: no rule covers resources of type {kind}")


def opening(properties: Mapping[str, Any]) -> Opening:
    """What a firewall rule lets in; a list that is missing is empty."""
    return Opening(
        name=str(properties.get("name") or ""),
        sources=tuple(properties.get("sourceRanges") or ()),
        opens=tuple((each.get("protocol"), tuple(each.get("ports") or ())) for each in properties.get("allows") or ()),
        others=tuple(properties.get("sourceTags") or ()) + tuple(properties.get("sourceServiceAccounts") or ()),
    )


def _node(name: str, properties: Mapping[str, Any]) -> Fact:
    interfaces = properties.get("networkInterfaces") or []
    scheduling = properties.get("scheduling") or {}
    disk = (properties.get("bootDisk") or {}).get("initializeParams") or {}
    duration = scheduling.get("maxRunDuration") or {}
    seconds = duration.get("seconds")
    metadata = dict(properties.get("metadata") or {})
    if script := properties.get("metadataStartupScript"):
        metadata["startup-script"] = script
    return NodeFact(
        name=name,
        machine_type=str(properties.get("machineType") or ""),
        image=str(disk.get("image") or "").removeprefix(GOOGLE),
        external=any(each.get("accessConfigs") or each.get("ipv6AccessConfigs") for each in interfaces),
        run_s=None if seconds is None else int(seconds),
        end=scheduling.get("instanceTerminationAction"),
        restarts=scheduling.get("automaticRestart") is not False,
        labels=dict(properties.get("labels") or {}),
        metadata=metadata,
        service_account=bool(properties.get("serviceAccount")),
        secure_boot=bool((properties.get("shieldedInstanceConfig") or {}).get("enableSecureBoot")),
    )
