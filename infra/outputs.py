"""The stack's outputs: what the operator's side needs to know, nothing secret. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cluster
import hostfile
import network
import rules
from price import has_external_v4
from profiles import COMPACT, IAP, Profile

PLACE = "/opt/convscale"
USER = "convscale"


def access(profile: Profile) -> dict[str, Any]:
    """The output `access`: where the cluster stands and who may enter."""
    head = rules.head(profile.stack)
    ssh = [
        {"protocol": "tcp", "ports": ["22"], "from": sources, "to": head}
        for sources in network.ssh_sources(profile).values()
    ]
    inside = {"protocol": "all", "ports": [], "from": [str(profile.subnet)], "to": "all nodes"}
    return {
        "project": profile.project,
        "region": profile.region,
        "zone": profile.zone,
        "ssh_from": list(profile.ssh_from) or [IAP],
        "open_ports": [*ssh, inside],
    }


def instances(profile: Profile) -> list[dict[str, str]]:
    """The output `instances`: Google's name of every node, in rank order."""
    prefix = rules.prefix(profile.stack)
    return [{"node": name, "name": prefix + name, "zone": profile.zone} for name in cluster.node_names(profile)]


def describe(
    profile: Profile,
    price: Mapping[str, Any],
    addresses: Sequence[str],
    head: Mapping[str, Any],
    times: Sequence[str],
) -> tuple[str, dict[str, Any]]:
    """Hostfile and inventory: internal addresses in rank order; `head` has its external ones.

    `times` are the nodes' creation: the cluster ends with the first that Google ends. Raises ValueError where one is
    no time.
    """
    created = min(datetime.datetime.fromisoformat(time) for time in times).astimezone(datetime.UTC)
    expires = created + datetime.timedelta(seconds=profile.lifetime_s)
    known = {
        "cluster": profile.stack,
        "profile": profile.stack,
        "default_study": profile.study,
        "python": f"{PLACE}/venv/bin/python",
        "workdir": PLACE,
        "user": USER,
        "key_file": "id_ed25519" if profile.operator_key is None else None,  # of the person's own key the agent has it
        "known_hosts": "known_hosts",
        "interface_subnet": str(profile.subnet),
        "executor": "ssh",
        "transport": "tcp",
        "mixed_processors": profile.mixed_processors,
        "cpu_platform": profile.min_cpu_platform,
        "placement": COMPACT if profile.compact else None,
        "bandwidth_tier": "default",  # Tier_1 wants 30 vCPUs or more
        "created_at": created.isoformat(timespec="seconds"),
        "expires_at": expires.isoformat(timespec="seconds"),
        "price": hostfile.price(price),
    }
    return hostfile.describe(known, list(_nodes(profile, addresses, head)))


def _nodes(profile: Profile, addresses: Sequence[str], head: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for rank, (name, address) in enumerate(zip(cluster.node_names(profile), addresses, strict=True)):
        yield {
            "name": name,
            "address": address,
            "slots": profile.slots,
            "memory_bytes": profile.machine.memory_bytes,
            "machine_type": profile.machine.name,
            **({} if profile.machine.gpus is None else {"gpus": profile.machine.gpus.count}),
            "ssh": _ssh(profile, name, head) if rank == 0 else {"via": "head"},
        }


def _ssh(profile: Profile, name: str, head: Mapping[str, Any]) -> dict[str, Any]:
    if profile.by_proxy:
        instance = rules.prefix(profile.stack) + name
        return {"via": "iap", "project": profile.project, "zone": profile.zone, "instance": instance}
    return {"via": "direct", "host": head["v4"] if has_external_v4(profile) else head["v6"]}
