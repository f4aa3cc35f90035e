"""What is done with a cluster of a campaign, step by step, and how its sweep ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from orchestration.jobs.executor import HeadLostError

FAULTS = (Refusal, Stopped, HeadLostError, OSError)


@dataclass(frozen=True)
class PlannedCluster:
    """A cluster of the campaign; `skip` says why it is left out, empty where it is not."""

    name: str
    offer: ClusterOffer
    skip: str = ""


@dataclass(frozen=True)
class SweepEnd:
    """How a sweep of a campaign ended: `complete` where no run of it is left to do.

    `as_planned` is false where a run failed.
    """

    complete: bool
    outcomes: Mapping[str, int]
    as_planned: bool = True


class CampaignSteps(Protocol):
    """What is done with one cluster. Each may raise Refusal, Stopped, HeadLostError, OSError, KeyboardInterrupt."""

    def up(self, cluster: str, offer: ClusterOffer, most: float | None) -> Inventory:
        """Brings it up, for at most so much money where that is given; or finds it where it stands."""
        ...

    def push(self, cluster: str) -> None: ...

    def check(self, cluster: str) -> None: ...

    def sweep(self, cluster: str, ends_at: str | None, folder: Path | None, begun: Callable[[Path], None]) -> SweepEnd:
        """Carries the study out until then, in the folder where that is given; `begun` is told the folder."""
        ...

    def pull(self, cluster: str, folder: Path) -> None: ...

    def down(self, cluster: str) -> None: ...
