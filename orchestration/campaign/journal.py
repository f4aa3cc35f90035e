"""What the work on a campaign's clusters shares: the ledger, the budget, the person, and how it is going."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.campaign.budget import Budget
from orchestration.sweep.ledger import Ledger
from workload.record.campaign import LEDGER, CampaignCluster, RecordedCampaign, read_campaign


@dataclass
class CampaignJournal:
    """Of a campaign in its folder, whose ledger begins with a plan.

    `interrupts` is how often the person has asked to end it. The rest is of this sitting: `as_planned` is false once a
    run failed, `ends` are the words for what kept clusters from being swept, and `stuck` is one with a price that could
    not be taken down. `held` is what each cluster at work may cost in all. Clusters at work at once may share it:
    whatever they use is whole or guarded.
    """

    folder: Path
    budget: Budget
    utc_now: Callable[[], str]
    say: Callable[[str], None]
    interrupts: Callable[[], int]
    as_planned: bool = True
    ends: set[str] = field(default_factory=set)
    stuck: str = ""
    held: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.folder / LEDGER)
        self._one_at_a_time = threading.RLock()

    @property
    def campaign(self) -> RecordedCampaign:
        """As the ledger has it now."""
        with self._one_at_a_time:
            return read_campaign(self.folder)

    def cluster(self, name: str) -> CampaignCluster:
        """How that cluster stands. Raises KeyError."""
        return self.campaign.cluster(name)

    def log(self, event: str, **values: Any) -> None:
        """Adds an event. Raises OSError."""
        with self._one_at_a_time:
            self._ledger.append(event, self.utc_now(), **values)

    def left(self) -> float:
        """What of the budget is neither spent nor held back for a cluster at work; infinite without a limit."""
        return self.budget.left(self.campaign, self.utc_now(), self.held)

    def last_utc(self) -> str:
        """When the last event was."""
        return str(self._ledger.events()[-1]["utc"])
