"""Everything that a profile registers, as plain properties, before anything is registered: what the rules judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cluster
import facts
import network
import rules
from machines import Catalogue
from price import needing_nat
from profiles import Profile
from pulumi import _types
from startup import Startup


class UnsafeError(ValueError):
    """The cluster would break a rule; its text is one line."""


def everything(profile: Profile, startup: Startup, labels: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """(type, properties) of every resource; links between them are words."""
    made: list[tuple[str, Any]] = [
        ("gcp:compute/network:Network", network.network(profile)),
        ("gcp:compute/subnetwork:Subnetwork", network.subnetwork(profile, "network")),
        *((facts.FIREWALL, each) for each in network.firewalls(profile, "network")),
    ]
    if profile.compact:
        made.append((facts.PLACEMENT, network.placement(profile)))
    if needing_nat(profile):
        made.append(("gcp:compute/router:Router", network.router(profile, "network")))
        made.append(("gcp:compute/routerNat:RouterNat", network.nat(profile, "router", "subnet")))
    for rank in range(profile.nodes):
        made.append(("gcp:compute/address:Address", cluster.address(profile, rank, "subnet", labels)))
        node = cluster.instance(
            profile,
            rank,
            startup,
            links=cluster.Links("subnet", cluster.internal_address(profile, rank), "placement"),
            labels=labels,
        )
        made.append((facts.INSTANCE, node))
    return [(kind, plain(args)) for kind, args in made]


def plain(value: Any) -> Any:
    """Typed arguments as the engine will get them: dictionaries by Pulumi's names."""
    if _types.is_input_type(type(value)):
        return {key: plain(each) for key, each in _types.input_type_to_dict(value).items()}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def check(declared: Sequence[tuple[str, dict[str, Any]]], profile: Profile, catalogue: Catalogue) -> None:
    """Raises UnsafeError naming the first broken rule."""
    try:
        found = [fact for kind, properties in declared if (fact := facts.read(kind, properties)) is not None]
    except facts.UncoveredError as error:
        raise UnsafeError(str(error)) from error
    types = {*catalogue.machines, profile.machine.name}
    if broken := rules.broken(found, profile.stack, types):
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise UnsafeError(f"this cluster is not safe to make: {broken[0]}{more}")
