"""Nodes -> mpirun's hostfile and the inventory: one function makes both, so that they cannot disagree; and its price.

Pure functions on plain dictionaries, standard library only: Pulumi's program and the operator's side
both use them. They check nothing: orchestration/clusters/inventory.py does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA_VERSION = 1


def hostfile(nodes: Sequence[Mapping[str, Any]]) -> str:
    """One line a node, head first: the address that nodes call each other by, and how many ranks it takes."""
    return "".join(f"{node['address']} slots={node['slots']}\n" for node in nodes)


def describe(cluster: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The hostfile's text and the inventory's document of a cluster; `cluster` holds the inventory's other keys."""
    inventory = {"schema_version": SCHEMA_VERSION, **cluster, "nodes": [dict(node) for node in nodes]}
    return hostfile(nodes), inventory


def price(priced: Mapping[str, Any]) -> dict[str, Any]:
    """The inventory's price from the stack's output `price`; its date is that of the oldest item's price."""
    return {
        "amount_per_hour": priced["amount_per_hour"],
        "currency": priced["currency"],
        "date": min(str(item["date"]) for item in priced["items"]),
        "spot": priced["spot"],
    }
