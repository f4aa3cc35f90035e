"""What takes a cluster down, whichever kind of `fab up` made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestration.clusters import registry
from orchestration.clusters.registry import COMPOSE, stacks
from orchestration.errors import Refusal
from orchestration.messages import unknown
from orchestration.paths import RunsFolder
from orchestration.provision import unfetched
from orchestration.provision.cloud.service import Cloud
from orchestration.provision.containers import cluster as containers
from orchestration.provision.containers.cluster import Containers


def is_stack(cluster: str, root: Path) -> bool:
    """True for Google Cloud, False for containers. Raises Refusal where it is neither."""
    known = stacks(root)
    if cluster in known or Path(cluster).name in {f"Pulumi.{name}.yaml" for name in known}:
        return True
    if cluster not in COMPOSE:
        raise Refusal(unknown("cluster that fab brings up", cluster, [*COMPOSE, *known]))
    return False


def taker(cloud: Cloud, cluster: str, runs: RunsFolder, discard: bool = False) -> Callable[[], None]:
    """Takes the cluster down when called. Raises Refusal at once where no `fab up` can have made it."""
    if is_stack(cluster, cloud.root):
        return lambda: cloud.down(cluster, runs, discard)
    local = containers.named(cluster, cloud.root, cloud.environment, cloud.person.say)
    return lambda: take_down(local, runs, discard)


def take_down(local: Containers, runs: RunsFolder, discard: bool) -> None:
    """Takes containers down. Raises Refusal where their head holds what was measured and is not here."""
    if not discard and local.folder.inventory.exists():
        found = registry.find(str(local.folder.inventory), local.root, "")
        if line := unfetched.check(found, runs):
            local.say(line)
    local.down()
