"""A kind of cluster: how clusters of that kind are named, brought up, found, described and taken down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestration.clusters.folder import folder_of, read_cluster
from orchestration.clusters.inventory import Inventory, Price
from orchestration.clusters.lifetime import lifetime_left_s, living
from orchestration.errors import Refusal
from orchestration.operator import Operator


@dataclass(frozen=True)
class UpFlags:
    """What a person may ask of `fab up`: the money that sets the lifetime, that a half-made cluster is kept, that
    nodes that stand may be replaced, and that containers have a compiler."""

    budget: float | None = None
    keep: bool = False
    replace: bool = False
    build_tools: bool = False


@dataclass(frozen=True)
class DescribedNodes:
    """What a file says of a cluster before it is up; `slots` of a node are None where the file leaves them open."""

    machine_type: str
    count: int
    slots: int | None


@dataclass(frozen=True)
class ClusterOffer:
    """What a person is to know of a cluster before a campaign brings it up, or uses it as it stands.

    `made`: `up` makes it and `down` takes it away; else it stands. `lifetime_s` is how long it lives once it is made,
    None where nothing ends it. `shortest_s`: for how long it must be paid for at the least. `here`: its nodes compute
    on this machine. `quota`: by the name of each quota that it takes of, how much, and how much was free.
    """

    made: bool
    nodes: int
    price: Price | None = None
    lifetime_s: float | None = None
    shortest_s: float = 0.0
    here: bool = False
    quota: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Provider(Protocol):
    """One kind of cluster. Members inherit from it: what most kinds have in common is here.

    `root` is the project's folder, absolute. Every method may raise Refusal.
    """

    kind: str  # as a person reads it: "containers"
    leaves_orphans: bool = False  # whether a cluster that went wrong may leave things behind that cost money

    # What each kind has of its own

    def names(self, root: Path) -> Sequence[str]:
        """The names of its clusters, up or not."""
        ...

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        """Brings a cluster up; the same again where it is up. Raises Stopped where it began and failed."""
        ...

    def check_down(self, cluster: str, operator: Operator) -> None:
        """Raises Refusal where `down` could not even begin: asked before a sweep that ends with it."""
        ...

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        """Takes a cluster down. Raises Refusal where its head holds records that are not here, unless `discard`."""
        ...

    # What most have in common

    def owns(self, cluster: str, root: Path) -> bool:
        """Whether what a person gave to --cluster is a cluster of this kind."""
        return cluster in self.names(root)

    def own_name(self, cluster: str, root: Path) -> str:
        """What the cluster's files and its sweeps call it, whatever a person gave to --cluster."""
        return cluster

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        """The inventory of a cluster that is up; the paths in it are absolute."""
        folder = folder_of(cluster, root)
        if not folder.inventory.exists():
            raise Refusal(f"cluster {cluster} is not up: start it with 'fab up --cluster {cluster}'")
        return read_cluster(folder.inventory)

    def offer(self, cluster: str, operator: Operator) -> ClusterOffer:
        """What it is and costs, before it is up or as it stands; makes nothing. Raises Refusal where it cannot be."""
        utc = operator.clock.utc()
        found = living(self.find(cluster, operator.root, utc), utc)
        return ClusterOffer(False, len(found.nodes), found.price, here=found.executor != "ssh")

    def status(self, cluster: str, root: Path, utc: str) -> str:
        """How the cluster stands, in a line."""
        try:
            found = self.find(cluster, root, utc)
        except Refusal as refusal:
            return str(refusal)
        memory_gib = sum(node.memory_bytes for node in found.nodes) / 2**30
        count = len(found.nodes)
        line = f"{count} node{'s' * (count > 1)}, {found.slots} slots, {memory_gib:.1f} GiB"
        if found.expires_at is None:
            return line
        over = lifetime_left_s(found.expires_at, utc) <= 0
        return f"{line}, {'its lifetime ended at' if over else 'until'} {found.expires_at}"

    def inventory(self, cluster: str, operator: Operator) -> Inventory:
        """Writes down the files of a cluster that another machine brought up."""
        raise Refusal(f"'fab inventory' has no files to write for {cluster} ({self.kind}): give another --cluster")

    def awake(self, cluster: str, operator: Operator) -> AbstractContextManager[None]:
        """Inside it the cluster's head runs, even where the cluster's lifetime is over and it was stopped."""
        return nullcontext()

    def orphans(self, cluster: str, project: str, discard: bool, operator: Operator) -> int:
        """Deletes on consent what failed clusters left behind, of all clusters where none is named: how many things."""
        raise Refusal(f"{self.kind} leave nothing behind that costs money: 'fab down' removes all")

    def described(self, cluster: str, root: Path) -> DescribedNodes | None:
        """The nodes that the cluster is to have, where a file says so before it is up."""
        return None
