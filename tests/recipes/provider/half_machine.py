"""A cluster of half of this machine's slots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.clusters.folder import folder_of
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.clusters.this_machine import describe
from orchestration.errors import Refusal
from orchestration.operator import Operator
from orchestration.provision import files


class HalfMachine(Provider):
    """The provider of the one cluster `half`."""

    kind = "half of this machine"

    def names(self, root: Path) -> Sequence[str]:
        return ("half",)

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        whole = describe(operator.root, operator.clock.utc())
        node = whole.nodes[0].model_copy(update={"slots": max(1, whole.slots // 2)})
        half = whole.model_copy(update={"cluster": cluster, "profile": cluster, "nodes": [node]})
        files.write(folder_of(cluster, operator.root), half)
        return half

    def check_down(self, cluster: str, operator: Operator) -> None:
        if not folder_of(cluster, operator.root).inventory.exists():
            raise Refusal(f"cluster {cluster} is not up: there is nothing to take down")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)
        files.remove(folder_of(cluster, operator.root))
