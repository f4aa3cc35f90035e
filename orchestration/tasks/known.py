"""What a forecast of a cluster is made from: its inventory, and its probe or, if it has none, stated figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.tasks.arguments import sweep_folder
from orchestration.tasks.common import ROOT, find, known_clusters, utc_now

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory
    from orchestration.forecast.convolution.points import WantedPoint
    from results.forecast.predict import Asked, Terms


@dataclass(frozen=True)
class KnownCluster:
    """Inventory and probe of a cluster; where it was never probed, both are made from published figures (`stated`)."""

    inventory: Inventory
    probe: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    stated: bool = False
    spot_share: float | None = None  # what a spot machine costs over what one costs on demand


def known(cluster: str) -> KnownCluster:
    """Raises Refusal."""
    from orchestration.forecast import datasheet
    from orchestration.forecast.probe import path_of, read

    owner, kept_as = known_clusters().owner(cluster), known_clusters().kept_as(cluster)
    described = owner.described(cluster, ROOT) if owner and not path_of(kept_as, ROOT).exists() else None
    if described is None:
        return KnownCluster(find(cluster), read(kept_as, ROOT))
    found = datasheet.describe(cluster, described, ROOT, utc_now(), read("local", ROOT))
    return KnownCluster(found.inventory, found.probe, found.notes, stated=True, spot_share=found.spot_share)


def asked(wanted: Sequence[WantedPoint], inventory: Inventory) -> list[Asked]:
    """The points to forecast, each placed on the nodes."""
    from orchestration.forecast.convolution.cases import of_point
    from orchestration.forecast.convolution.points import placement
    from results.forecast.predict import Asked

    spread = [placement(item.point.ranks, inventory) for item in wanted]
    return [
        Asked(item.point.series, of_point(item.point, per_node, item.options), nodes, item.repeats)
        for item, (nodes, per_node) in zip(wanted, spread, strict=True)
    ]


def terms(cluster: str, found: KnownCluster, extrapolate: bool, sweep: str) -> Terms:
    """The figures that the forecast is made from. Raises Refusal, SweepError, SchemaError."""
    from orchestration.forecast.sweep import band
    from results.forecast.convolution.probe import parse
    from results.forecast.predict import Terms
    from results.records.price import HourlyPrice
    from results.records.sweep import read_sweep

    probed, price, nodes = parse(found.probe, f"the probe of {cluster}"), found.inventory.price, found.inventory.nodes
    return Terms(
        probed,
        probed.ranks,
        HourlyPrice(price.amount_per_hour, price.currency) if price else None,
        len(nodes),
        extrapolate,
        read_sweep(sweep_folder(sweep)) if sweep else None,
        None if found.stated else band(known_clusters().kept_as(cluster), ROOT),
        found.stated,
        min(node.memory_bytes for node in nodes),
    )


def priced(inventory: Inventory) -> str:
    """The cluster's price, and its date, in a line."""
    if inventory.price is None:
        return "No price: the inventory names none."
    price, nodes = inventory.price, len(inventory.nodes)
    return (
        f"Price: {price.amount_per_hour:g} {price.currency} an hour for {nodes} {'node' if nodes == 1 else 'nodes'} "
        f"({price.date}), by the node and only while it computes."
    )
