"""A cluster whose inventory is given, in place of the one that its own provider finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.clusters.registry import Clusters
from orchestration.errors import Refusal
from orchestration.operator import Operator


@dataclass(frozen=True)
class GivenCluster(Provider):
    """The provider of one cluster, by the name that a person gave; it is only looked at."""

    name: str
    found: Inventory

    kind = "given"

    def names(self, root: Path) -> Sequence[str]:
        return (self.name,)

    def own_name(self, cluster: str, root: Path) -> str:
        return self.found.cluster

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        return self.found

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is given by its inventory: it is not brought up")

    def check_down(self, cluster: str, operator: Operator) -> None:
        raise Refusal(f"cluster {cluster} is given by its inventory: it is not taken down")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)


def with_given(clusters: Clusters, name: str, found: Inventory) -> Clusters:
    """The same clusters, but that name has this inventory."""
    return replace(clusters, providers=(GivenCluster(name, found), *clusters.providers))
