"""The ledger of a campaign as it is read: one study on several clusters in turn, and what was spent on each.

Standard library only: who carries a campaign out and who reports it read by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workload.record.ledger import read_ledger
from workload.record.schema import SchemaError, check_shape

LEDGER = "campaign.jsonl"
# The events, and the kinds of their values
PLANNED, BEGUN, STARTING, UP, SWEEPING = "planned", "begun", "starting", "up", "sweeping"
SWEPT, FAILED, SKIPPED, LEFT, ENDED = "swept", "failed", "skipped", "left", "ended"
_NUMBER = (int, float)
_TEXT = (str, type(None))
_PRICE = {"amount_per_hour": _NUMBER, "currency": str, "date": str}
_SHAPES: Mapping[str, Mapping[str, Any]] = {
    PLANNED: {"study": str, "study_digest": str, "workload": str, "clusters": [str]},
    BEGUN: {"pid": int, "max_cost": (*_NUMBER, type(None)), "currency": _TEXT},
    STARTING: {"cluster": str, "made": bool},
    UP: {"cluster": str, "nodes": int, "slots": int, "expires_at": _TEXT},
    SWEEPING: {"cluster": str, "sweep": str},
    SWEPT: {"cluster": str, "complete": bool, "outcomes": dict},
    FAILED: {"cluster": str, "step": str, "reason": str},
    SKIPPED: {"cluster": str, "reason": str},
    LEFT: {"cluster": str, "spent": _NUMBER, "taken_down": bool},
    ENDED: {"reason": str},
}
# How a cluster stands
WAITING, AT_WORK, PARTIAL = "waiting", "at work", "partial"
DOWN = "down"  # the step at which a cluster is taken down
_BEGUN = {"state": AT_WORK, "reason": "", "step": ""}


@dataclass(frozen=True)
class CampaignCluster:
    """One cluster of a campaign.

    `state`: WAITING, AT_WORK, SWEPT (no run is left to do), PARTIAL (some are), FAILED or SKIPPED; `reason` says why,
    and `step` where it failed. `sweep` is the folder of its sweep, None where none was begun. `price` is the whole
    cluster's, None where it has none. `spent` is an amount in the campaign's currency for the times of work on it that
    are over. `since` is when one began that is not: such a cluster may still bill, until `expires_at` where it ends
    by itself. `made`: the campaign brings it up, and takes it down. One that could not be taken down keeps its state,
    with `down` as its step.
    """

    name: str
    state: str = WAITING
    reason: str = ""
    step: str = ""
    sweep: Path | None = None
    price: Mapping[str, Any] | None = None
    spent: float = 0.0
    since: str | None = None
    expires_at: str | None = None
    made: bool = False


@dataclass(frozen=True)
class RecordedCampaign:
    """A campaign as its ledger has it.

    `folder` holds the ledger. `max_cost` is what all its clusters together may cost, in `currency`; both are None where
    nothing limits it or no cluster costs anything. `ended` says how the last start of the command ended, empty where it
    is at work or was killed.
    """

    folder: Path
    study: str
    study_digest: str
    workload: str
    clusters: tuple[CampaignCluster, ...]
    max_cost: float | None = None
    currency: str | None = None
    ended: str = ""

    @property
    def spent(self) -> float:
        """What all clusters cost so far, but for one that is up."""
        return sum(each.spent for each in self.clusters)

    def cluster(self, name: str) -> CampaignCluster:
        """Raises KeyError."""
        found = {each.name: each for each in self.clusters}
        return found[name]


def read_campaign(folder: Path) -> RecordedCampaign:
    """The campaign in a folder. Raises SchemaError where its ledger is missing or says what none can; OSError."""
    found = read_ledger(folder / LEDGER)
    if found.problems:
        raise SchemaError(f"{folder}: {found.problems[0]}")
    if not found.events or found.events[0]["event"] != PLANNED:
        raise SchemaError(f"{folder} holds no campaign: its {LEDGER} is missing, or does not begin with a plan")
    first = found.events[0]
    _check(first, folder)
    names = tuple(CampaignCluster(name) for name in first["clusters"])
    campaign = RecordedCampaign(folder, first["study"], first["study_digest"], first["workload"], names)
    for event in found.events[1:]:
        _check(event, folder)
        campaign = _after(campaign, event)
    return campaign


def _check(event: Mapping[str, Any], folder: Path) -> None:
    """Raises SchemaError."""
    kind = event["event"]
    where = f"{folder / LEDGER}, event {kind}"
    check_shape(event, _SHAPES.get(kind, {}), where)
    if event.get("price") is not None:
        check_shape(event["price"], _PRICE, f"{where}.price")


def _after(campaign: RecordedCampaign, event: Mapping[str, Any]) -> RecordedCampaign:
    """The campaign after one more event. Raises SchemaError for a cluster that it does not have."""
    kind = event["event"]
    if kind == BEGUN:
        return replace(campaign, max_cost=event["max_cost"], currency=event["currency"], ended="")
    if kind == ENDED:
        return replace(campaign, ended=event["reason"])
    if "cluster" not in event:
        return campaign
    if event["cluster"] not in [each.name for each in campaign.clusters]:
        raise SchemaError(f"{campaign.folder / LEDGER}: {event['cluster']} is no cluster of this campaign")
    changed = (
        _cluster_after(each, event, campaign.folder) if each.name == event["cluster"] else each
        for each in campaign.clusters
    )
    return replace(campaign, clusters=tuple(changed))


def _cluster_after(before: CampaignCluster, event: Mapping[str, Any], folder: Path) -> CampaignCluster:
    return replace(before, **_changes(before, event, folder))


def _changes(before: CampaignCluster, event: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What an event changes of its cluster."""
    kind, reason = event["event"], event.get("reason", "")
    price, since = event.get("price", before.price), before.since or event["utc"]
    interrupted = PARTIAL if before.sweep else WAITING
    changes: dict[str, dict[str, Any]] = {
        STARTING: {**_BEGUN, "price": price, "since": since, "made": event.get("made")},
        UP: {"price": price, "expires_at": event.get("expires_at")},
        SWEEPING: {"sweep": (folder / event.get("sweep", "")).resolve()},
        SWEPT: {"state": SWEPT if event.get("complete") else PARTIAL, "reason": reason},
        FAILED: {
            "state": before.state if event.get("step") == DOWN else FAILED,
            "reason": reason,
            "step": event.get("step"),
        },
        SKIPPED: {"state": SKIPPED, "reason": reason},
        LEFT: {
            "state": interrupted if before.state == AT_WORK else before.state,
            "spent": before.spent + event.get("spent", 0.0),
            "since": None,
            "expires_at": None,
            "made": False,
            **({"step": "", "reason": ""} if before.state == SWEPT else {}),
        },
    }
    return changes.get(kind, {})
