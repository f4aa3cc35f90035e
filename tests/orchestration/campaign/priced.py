"""Clusters of the test's own at made-up prices, each of them this machine: `cheap`, `twin`, `dear` and `broken`.

`broken` cannot be brought up as long as there is no file `mended` in the project's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.clusters.folder import folder_of
from orchestration.clusters.inventory import Inventory, Price
from orchestration.clusters.provider import ClusterOffer, Provider, UpFlags
from orchestration.clusters.this_machine import describe
from orchestration.errors import Refusal, Stopped
from orchestration.operator import Operator
from orchestration.provision import files

PRICES = {"cheap": 0.36, "twin": 0.36, "dear": 36.0, "broken": 0.36}


class Priced(Provider):
    """Their provider. It does not say that they are this machine, so that two may be up at once."""

    kind = "made-up prices"

    def names(self, root: Path) -> Sequence[str]:
        return tuple(PRICES)

    def offer(self, cluster: str, operator: Operator) -> ClusterOffer:
        if folder_of(cluster, operator.root).inventory.exists():
            return super().offer(cluster, operator)
        return ClusterOffer(True, 1, _price(cluster))

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        if cluster == "broken" and not (operator.root / "mended").exists():
            raise Stopped("no such machine is free")
        whole = describe(operator.root, operator.clock.utc())
        found = whole.model_copy(update={"cluster": cluster, "profile": cluster, "price": _price(cluster)})
        files.write(folder_of(cluster, operator.root), found)
        return found

    def check_down(self, cluster: str, operator: Operator) -> None:
        if not folder_of(cluster, operator.root).inventory.exists():
            raise Refusal(f"cluster {cluster} is not up: there is nothing to take down")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)
        files.remove(folder_of(cluster, operator.root))


def _price(cluster: str) -> Price:
    return Price(amount_per_hour=PRICES[cluster], currency="USD", date="2026-11-30")
