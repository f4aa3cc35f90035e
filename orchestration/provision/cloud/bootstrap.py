"""Waits until every node says through its guest attributes that its bootstrap is over, and takes its host key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.provision.cloud.clients.compute import Google, GoogleError
from orchestration.provision.cloud.offer import Instance
from orchestration.ssh import keys

READY_S = 900.0
PAUSE_S = 5.0
STATE = "convscale/bootstrap"
HOST_KEY = "convscale/hostkey"  # said by our startup script, after sshd serves it
AGENTS_KEY = "hostkeys/ssh-ed25519"  # said by Google's agent, once; it may be lost
OVER = {"STOPPING", "STOPPED", "TERMINATED", "SUSPENDING", "SUSPENDED"}


class NotReadyError(Exception):
    """Nodes failed, or took too long; the message is one line that names them, with their own last words."""

    def __init__(self, message: str, nodes: Sequence[Instance] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)


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
                    late = [item for item in waiting if item.node not in found]
                    raise NotReadyError(self._late(late, why), late)
                self.sleep(PAUSE_S)
        return found

    def _key(self, item: Instance) -> str | None:
        published = self.google.guest_attributes(item.zone, item.name)
        state = published.get(STATE, "")
        if state.startswith("failed"):
            words = state.removeprefix("failed").lstrip(": ") or self.google.last_words(item.zone, item.name)
            raise NotReadyError(f"{item.node} ({item.name}) failed to start: {words or 'its log says nothing'}", [item])
        if state == "ready" and HOST_KEY in published:
            return self._witnessed(item, published)
        if (status := self.google.status(item.zone, item.name)) in OVER or status is None:
            raise NotReadyError(f"{item.node} ({item.name}) is {status or 'gone'} before it was ready", [item])
        return None

    def _witnessed(self, item: Instance, published: Mapping[str, str]) -> str:
        """The key that the node says; what Google's agent says must be no other, and may be missing."""
        key = keys.public_key(published[HOST_KEY], item.node)
        if AGENTS_KEY in published and keys.public_key(_typed(published[AGENTS_KEY]), item.node) != key:
            raise NotReadyError(
                f"{item.node} ({item.name}) serves another host key than Google's agent has made there: it is not "
                "trusted; 'fab down' and up again, and if it comes again, look at who can write to that machine"
            )
        return key

    def _late(self, items: Sequence[Instance], why: str) -> str:
        names = ", ".join(item.node for item in items)
        words = why or self.google.last_words(items[0].zone, items[0].name)
        tail = f"; {items[0].node}'s last words: {words}" if words else ""
        return f"{names} not ready after {self.limit_s / 60:.0f} min{tail}"


def _typed(key: str) -> str:
    """Google's agent publishes the key with or without its type in front."""
    return key if key.startswith("ssh-") else f"ssh-ed25519 {key}"
