"""The clusters that `--cluster` takes, by name, whatever kind each is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.clusters.folder import folder_of, read_cluster
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider
from orchestration.errors import Refusal
from orchestration.messages import unknown


@dataclass(frozen=True)
class Clusters:
    """The clusters of a checkout. A name belongs to the first of the providers that owns it."""

    root: Path
    providers: Sequence[Provider]

    def names(self) -> list[str]:
        """Every name, up or not."""
        return list(dict.fromkeys(name for provider in self.providers for name in provider.names(self.root)))

    def owner(self, cluster: str) -> Provider | None:
        """Whose the cluster is; None where it is nobody's, or the path of an inventory.json."""
        return next((provider for provider in self.providers if provider.owns(cluster, self.root)), None)

    def provider(self, cluster: str) -> Provider:
        """Whose the cluster is. Raises Refusal where it is nobody's."""
        if found := self.owner(cluster):
            return found
        if _is_path(cluster):
            raise Refusal(f"{cluster} is a file, whose cluster fab neither brings up nor takes down: give a name")
        raise Refusal(unknown("cluster", cluster, self.names()) + ", or the path of an inventory.json")

    def find(self, cluster: str, utc: str) -> Inventory:
        """The inventory of a cluster's name, or of the path of an inventory.json; paths in it are absolute.

        Raises Refusal.
        """
        if _is_path(cluster):
            return read_cluster(Path(cluster).expanduser().absolute())
        return self.provider(cluster).find(cluster, self.root, utc)

    def name_of(self, cluster: str, utc: str) -> str:
        """What sweeps on the cluster call it; it need not be up. Raises Refusal."""
        owner = self.owner(cluster)
        return self.find(cluster, utc).cluster if owner is None else owner.own_name(cluster, self.root)

    def kept_as(self, cluster: str) -> str:
        """By what to find the files that are kept of a cluster: its own name, or the path of an inventory.json."""
        owner = self.owner(cluster)
        return cluster if owner is None else owner.own_name(cluster, self.root)

    def check_free(self, name: str, newcomer: Provider | None = None) -> None:
        """Raises Refusal where the name cannot be a cluster's, or is one of a provider's that is not the newcomer."""
        folder_of(name, self.root)
        owner = self.owner(name)
        if owner is not None and owner is not newcomer:
            raise Refusal(f"the name {name!r} is taken ({owner.kind}): give another --name")

    def with_orphans(self, cluster: str) -> list[Provider]:
        """The providers to ask what failed clusters left behind, of the named one or, where none is named, of all."""
        owner = self.owner(cluster)
        return [provider for provider in self.providers if provider.leaves_orphans] if owner is None else [owner]


def _is_path(cluster: str) -> bool:
    return "/" in cluster or cluster.endswith(".json")
