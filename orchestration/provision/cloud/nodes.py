"""The nodes that the engine has made: waited for, made anew alone where they failed, and their processors shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.checks.processors import mixed_processors
from orchestration.operator import Person, WallClock
from orchestration.provision.cloud.bootstrap import NotReadyError, Waiting
from orchestration.provision.cloud.clients.compute import Google, GoogleError
from orchestration.provision.cloud.clients.progress import following
from orchestration.provision.cloud.clients.pulumi_stack import Stack
from orchestration.provision.cloud.offer import Instance
from orchestration.provision.cloud.recovery import unlocked

SHARE = 0.25  # of the nodes that may be made anew one by one; where more fail it is no node's own fault


@dataclass(frozen=True)
class Nodes:
    """In rank order. `stood`: the cluster stood before, so that its head holds what must not be lost."""

    stack: Stack
    google: Google
    person: Person
    clock: WallClock
    instances: Sequence[Instance]
    stood: bool
    made_anew: set[str] = field(default_factory=set)

    def host_keys(self) -> dict[str, str]:
        """Of every node, once all are ready; one that fails is made anew once. Raises NotReadyError, StackError."""
        waiting = Waiting(self.google, self.clock.now, self.clock.sleep, self.person.say)
        while True:
            try:
                return waiting.host_keys(self.instances)
            except NotReadyError as error:
                if not self._may_be_made_anew(error.nodes):
                    raise
                self.person.say(f"{error}: {', '.join(item.node for item in error.nodes)} is made anew, by itself")
                self.made_anew.update(item.name for item in error.nodes)
                self._make_anew(error.nodes)

    def make_alike(self) -> bool:
        """Shows the processors, and offers to make odd nodes anew where there is somebody to ask; True where it did.

        Raises StackError.
        """
        try:
            platforms = {item.node: self.google.cpu_platform(item.zone, item.name) for item in self.instances}
        except GoogleError as error:
            self.person.say(f"the nodes' processors cannot be read: {error}")
            return False
        words = mixed_processors(platforms)
        if not words:
            self.person.say(f"processors: {next(iter(platforms.values())) or 'unknown'}")
            return False
        self.person.say(f"processors differ ({words}): runs whose ranks are on several kinds are marked")
        wanted, odd = self._odd(platforms)
        if self.person.yes or self.person.ask is None or not odd:
            return False
        names = ", ".join(item.node for item in odd)
        if not self.person.agrees(f"Make {names} anew, for {wanted}? Google chooses again, and may choose as before."):
            return False
        self._make_anew(odd)
        return True

    def _odd(self, platforms: dict[str, str]) -> tuple[str, list[Instance]]:
        """The platform of most nodes, of the head's where the head must stay; and the nodes on any other."""
        head = platforms[self.instances[0].node]
        ((most, count), *_) = Counter(platforms.values()).most_common(1)
        wanted = head if self.stood or list(platforms.values()).count(head) == count else most
        return wanted, [item for item in self.instances if platforms[item.node] != wanted]

    def _may_be_made_anew(self, failed: Sequence[Instance]) -> bool:
        if not failed or any(item.name in self.made_anew for item in failed):
            return False
        if self.stood and self.instances[0] in failed:
            return False
        return len(self.made_anew) + len(failed) <= max(1, int(SHARE * len(self.instances)))

    def _make_anew(self, items: Sequence[Instance]) -> None:
        urns = self.stack.held().instances
        utc = self.clock.utc()
        if self.instances[0] in items:
            unlocked(self.stack, self.person, utc, self.stack.unprotect)
        chosen = [urns[item.name] for item in items if item.name in urns]
        with following(self.person, "up", 2 * len(chosen)) as heard:
            unlocked(self.stack, self.person, utc, lambda: self.stack.up(heard, chosen))
