"""Clusters on Google Cloud, as the tasks see them: one for each Pulumi.<name>.yaml of the project.

Type and count of machines, as c3-highcpu-22x4, need no file: a stack is made for them, and removed when it is down.

What a task does is in service.py, imported when a task begins: listing clusters needs neither Pulumi nor Google.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.clusters.folder import folder_of
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.clusters.provider import ClusterOffer, DescribedNodes, Provider, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator
from orchestration.provision.cloud import made, type_and_count
from orchestration.provision.cloud.clients import stack_settings

if TYPE_CHECKING:
    from orchestration.provision.cloud.service import Cloud


class GoogleCloud(Provider):
    """The provider of Pulumi's stacks; it takes `Pulumi.fat.yaml` for `fat` too, and c3-highcpu-22x4."""

    kind = "Google Cloud"
    leaves_orphans = True

    def names(self, root: Path) -> Sequence[str]:
        return sorted([*stack_settings.stacks_in(root), *made.names(root)])

    def owns(self, cluster: str, root: Path) -> bool:
        return type_and_count.read(cluster, root) is not None or self.own_name(cluster, root) in self.names(root)

    def own_name(self, cluster: str, root: Path) -> str:
        """The stack of `fat`, of `Pulumi.fat.yaml`, wherever that lies, and of type and count."""
        if wanted := type_and_count.read(cluster, root):
            return wanted.stack
        file = re.fullmatch(r"Pulumi\.(.+)\.yaml", Path(cluster).name)
        return file[1] if file else cluster

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        name = self.own_name(cluster, root)
        if not folder_of(name, root).inventory.exists():
            raise Refusal(f"cluster {cluster} is not up: start it with 'fab up --cluster {cluster}'")
        return super().find(name, root, utc)

    def offer(self, cluster: str, operator: Operator) -> ClusterOffer:
        """Resources, ports, price and quota are shown where the cluster is to be made."""
        if folder_of(self.own_name(cluster, operator.root), operator.root).inventory.exists():
            return super().offer(cluster, operator)
        return _cloud(operator).offer(cluster)

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        if flags.build_tools:
            raise Refusal(f"--build-tools is for containers; install compilers on the head of {cluster} yourself")
        return _cloud(operator).up(cluster, flags.budget, flags.keep, operator.runs if flags.replace else None)

    def check_down(self, cluster: str, operator: Operator) -> None:
        _cloud(operator).check(cluster)

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        _cloud(operator).down(cluster, operator.runs, discard)

    def inventory(self, cluster: str, operator: Operator) -> Inventory:
        return _cloud(operator).files(cluster)

    @contextmanager
    def awake(self, cluster: str, operator: Operator) -> Iterator[None]:
        """Google stops the head at the end of the cluster's lifetime; it is started on consent, and stopped again."""
        found = self.find(cluster, operator.root, operator.clock.utc())
        if found.expires_at is None or lifetime_left_s(found.expires_at, operator.clock.utc()) > 0:
            yield
            return
        with _cloud(operator).head_awake(found.cluster, found):
            yield

    def orphans(self, cluster: str, project: str, discard: bool, operator: Operator) -> int:
        cluster = self.own_name(cluster, operator.root)
        alive = [name for name in self.names(operator.root) if folder_of(name, operator.root).inventory.exists()]
        return _cloud(operator).orphans(cluster, project, () if discard else alive)

    def described(self, cluster: str, root: Path) -> DescribedNodes | None:
        from orchestration.provision.cloud.service import stack_of

        wanted = type_and_count.read(cluster, root)
        if wanted is not None and not made.is_made(wanted.stack, root):
            return DescribedNodes(wanted.machine_type, wanted.count, None)
        name = stack_of(cluster, root)
        keys = stack_settings.config(name, root)
        nodes, slots = (stack_settings.count(keys, name, key) for key in ("nodes", "slots"))
        return DescribedNodes(str(keys.get("convscale:machine_type")), nodes or 1, slots)


def _cloud(operator: Operator) -> Cloud:
    from orchestration.provision.cloud.service import Cloud

    return Cloud(operator.root, operator.environment, operator.person, operator.clock)
