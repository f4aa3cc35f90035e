"""Waits until every node says through its guest attributes that its bootstrap is over, and takes its host key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.provision.cloud.clients.compute import Google, GoogleError
from orchestration.provision.cloud.offer import Instance
from orchestration.ssh import keys

READY_S = 900.0
PAUSE_S = 5.0
STATE = "convscale/bootstrap"
HOST_KEY = "hostkeys/ssh-ed25519"
OVER = {"STOPPING", "STOPPED", "TERMINATED", "SUSPENDING", "SUSPENDED"}


class NotReadyError(Exception):
    """A node failed, or took too long; the message is one line that names it, with its own last words."""


@dataclass(frozen=True)
class Waiting:
    """Asks Google, never the nodes themselves; `now` gives monotonic seconds."""

    google: Google
    now: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    limit_s: float = READY_S

    def host_keys(self, instances: Sequence[Instance]) -> dict[str, str]:
        """The host key of every node by the inventory's name of it, `type base64`. Raises NotReadyError."""
        found: dict[str, str] = {}
        deadline = self.now() + self.limit_s
        why = ""
        while waiting := [item for item in instances if item.node not in found]:
            try:
                for item in waiting:
                    if key := self._key(item):
                        found[item.node] = key
                        self.say(f"{item.node} is ready ({len(found)} of {len(instances)})")
                why = ""
            except GoogleError as error:
                why = str(error)  # a moment's trouble does not end the wait
            if len(found) < len(instances):
                if self.now() >= deadline:
                    raise NotReadyError(self._late([item for item in waiting if item.node not in found], why))
                self.sleep(PAUSE_S)
        return found

    def _key(self, item: Instance) -> str | None:
        published = self.google.guest_attributes(item.zone, item.name)
        state = published.get(STATE, "")
        if state.startswith("failed"):
            words = state.removeprefix("failed").lstrip(": ") or self.google.last_words(item.zone, item.name)
            raise NotReadyError(f"{item.node} ({item.name}) failed to start: {words or 'its log says nothing'}")
        if state == "ready" and HOST_KEY in published:
            return keys.public_key(_typed(published[HOST_KEY]), item.node)
        if (status := self.google.status(item.zone, item.name)) in OVER or status is None:
            raise NotReadyError(f"{item.node} ({item.name}) is {status or 'gone'} before it was ready")
        return None

    def _late(self, items: Sequence[Instance], why: str) -> str:
        names = ", ".join(item.node for item in items)
        words = why or self.google.last_words(items[0].zone, items[0].name)
        tail = f"; {items[0].node}'s last words: {words}" if words else ""
        return f"{names} not ready after {self.limit_s / 60:.0f} min{tail}"


def _typed(key: str) -> str:
    """Google's agent publishes the key with or without its type in front."""
    return key if key.startswith("ssh-") else f"ssh-ed25519 {key}"
