"""How long a cluster lives: what is left of its lifetime, and which runs no longer fit into it. Pure."""

from __future__ import annotations

import datetime

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal

EXPIRED = "expired"  # begins the reason of a run that is skipped because the cluster ends before it


def too_late(expires_at: str | None, utc: str, takes_s: float | None, what: str = "the run takes") -> str | None:
    """Why a run must not start so close to the cluster's end; None where it may.

    `takes_s` is how long it takes, or whatever `what` says in its place; None where that is not known.
    """
    if expires_at is None:
        return None
    left_s = lifetime_left_s(expires_at, utc)
    if left_s <= 0:
        return f"{EXPIRED}: the cluster's lifetime ended at {expires_at}"
    if takes_s is not None and takes_s > left_s:
        return f"{EXPIRED}: {what} about {takes_s:.0f} s, {left_s:.0f} s are left of the cluster's lifetime"
    return None


def lifetime_left_s(expires_at: str, utc: str) -> float:
    """Seconds from `utc` to the end of a cluster's lifetime; both in ISO 8601."""
    return (_time(expires_at) - _time(utc)).total_seconds()


def living(found: Inventory, utc: str) -> Inventory:
    """The same inventory. Raises Refusal where the cluster's lifetime is over."""
    if found.expires_at is not None and lifetime_left_s(found.expires_at, utc) <= 0:
        raise Refusal(
            f"the lifetime of cluster {found.cluster} ended at {found.expires_at}: "
            f"'fab pull' what its head still holds, 'fab down', then bring it up anew"
        )
    return found


def _time(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)
