"""Clusters of containers on this machine, as the tasks see them: the profiles of compose.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestration.clusters.folder import folder_of, read_cluster
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import ClusterOffer, Provider, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator
from orchestration.paths import RunsFolder
from orchestration.provision import unfetched
from orchestration.provision.containers.cluster import SHAPES, Containers
from orchestration.provision.containers.docker import Engine


class ContainerClusters(Provider):
    """The provider of `compose-light` and `compose-fat`."""

    kind = "containers"

    def names(self, root: Path) -> Sequence[str]:
        return tuple(SHAPES)

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        if replace(flags, build_tools=False) != UpFlags():
            raise Refusal(
                f"--budget, --keep and --replace are for clusters on Google Cloud, {cluster} is containers: leave them"
            )
        return _containers(cluster, operator).up(operator.clock.utc(), build_tools=flags.build_tools)

    def offer(self, cluster: str, operator: Operator) -> ClusterOffer:
        if folder_of(cluster, operator.root).inventory.exists():
            return replace(super().offer(cluster, operator), here=True)
        self.check_down(cluster, operator)
        return ClusterOffer(True, len(SHAPES[cluster].services), here=True)

    def check_down(self, cluster: str, operator: Operator) -> None:
        _containers(cluster, operator)

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        take_down(_containers(cluster, operator), operator.runs, discard)


def take_down(containers: Containers, runs: RunsFolder, discard: bool) -> None:
    """Takes containers down. Raises Refusal where their head holds what was measured and is not here."""
    made = containers.folder.inventory
    if not discard and made.exists() and (line := unfetched.check(read_cluster(made), runs)):
        containers.say(line)
    containers.down()


def _containers(cluster: str, operator: Operator) -> Containers:
    """Raises Refusal where no engine answers."""
    engine = Engine.find(operator.environment)
    return Containers(engine, operator.root, folder_of(cluster, operator.root), SHAPES[cluster], operator.person.say)
