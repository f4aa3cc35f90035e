"""`fab up` of a stack: look, show, ask, make, wait, pin. What is half made is taken down again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from orchestration.clusters.folder import ClusterFolder, beside
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.errors import Refusal, Stopped
from orchestration.operator import Person, WallClock
from orchestration.provision import files
from orchestration.provision.cloud import pairing
from orchestration.provision.cloud.bootstrap import NotReadyError
from orchestration.provision.cloud.clients.compute import Google, GoogleError, Quota
from orchestration.provision.cloud.clients.events import PROTECTED, Heard
from orchestration.provision.cloud.clients.progress import following
from orchestration.provision.cloud.clients.pulumi_stack import Stack, StackError
from orchestration.provision.cloud.clients.stack_settings import LIFETIME, prefix
from orchestration.provision.cloud.down import destroyed, show
from orchestration.provision.cloud.nodes import Nodes
from orchestration.provision.cloud.offer import (
    Instance,
    Offer,
    Room,
    aged,
    bill,
    check_room,
    duration,
    lifetime_for,
    parse_offer,
    rooms,
    tables,
    with_lifetime,
)
from orchestration.provision.cloud.recovery import settled, unlocked
from orchestration.provision.cloud.standing import Disruption, disruptions, told


@dataclass(frozen=True)
class Seen:
    """What `fab up` found before it asks: how many things change, the URNs of nodes that are to be made anew, and the
    quotas that it needs."""

    stood: bool
    offer: Offer
    planned: int
    replaced: tuple[str, ...]
    rooms: Sequence[Room] = ()


@dataclass(frozen=True)
class Up:
    """One `fab up`; `folder` is where the cluster's files go.

    `all_fetched` raises Refusal where the head of the cluster that stands holds what is not here; where it is None no
    node that stands is replaced.
    """

    stack: Stack
    google: Google
    folder: ClusterFolder
    person: Person
    clock: WallClock
    budget: float | None = None
    keep: bool = False
    all_fetched: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    def up(self) -> Inventory:
        """The cluster, ready and paired. Raises Refusal where nothing was begun, Stopped where it failed."""
        seen = self._shown()
        if seen.planned and not self.person.agrees("Make it?"):
            raise Refusal("nothing is made: you did not say yes")
        try:
            self._make(seen)
        except StackError as error:
            raise self._failed(str(error), seen.stood) from error
        try:
            return self._entered(seen)
        except KeyboardInterrupt:
            raise self._failed("interrupted", seen.stood) from None
        except (StackError, NotReadyError, pairing.PairingError, Refusal, OSError) as error:
            raise self._failed(str(error), seen.stood) from error

    def look(self) -> Seen:
        """What `up` would make, after it was shown; makes nothing. Raises Refusal."""
        return self._shown()

    # Before the question

    def _shown(self) -> Seen:
        """What stands and what would be, after tables and price were shown. Raises Refusal."""
        try:
            seen = self._looked()
        except StackError as error:
            raise Refusal(str(error)) from error
        if line := aged(seen.offer.price, self.clock.utc()):
            self.person.say(line)
        self.person.say(bill(seen.offer))
        return seen

    def _looked(self) -> Seen:
        """What stands already, and what would be. Raises Refusal, StackError."""
        held = self.stack.held()
        settled(self.stack, self.google, self.person, self.clock.utc(), held)
        if held.resources:
            with following(self.person, "refresh") as heard:
                unlocked(self.stack, self.person, self.clock.utc(), lambda: self.stack.refresh(heard))
        else:
            self._unknown()
        outputs = self.stack.outputs() if held.resources else {}
        alive = self._alive(outputs)
        if alive:
            self._has_key(outputs)
        with following(self.person, "preview") as heard:
            refused = self._preview(heard)
        offer = parse_offer(heard.outputs or outputs)
        if self.budget is not None:
            offer = with_lifetime(offer, lifetime_for(self.budget, offer.price))
        if alive:
            self._unchanged(int(outputs["lifetime_s"]), offer.lifetime_s)
        quotas, unread = self._quotas(offer)
        found = rooms(offer, quotas)
        self.person.show(tables(offer, heard.planned, found, unread))
        if not held.resources:
            check_room(offer, found)
        disrupted = disruptions(heard.planned) if held.resources else []
        if disrupted or refused:
            self._may_replace(disrupted, refused)
        urns = tuple(dict.fromkeys(each.urn for each in disrupted))
        return Seen(bool(held.resources), offer, len(heard.planned), urns, found)

    def _preview(self, heard: Heard) -> str:
        """The engine's words where it would have to replace rank 0's protected node, else empty. Raises StackError."""
        try:
            self.stack.preview(heard)
        except StackError as error:
            if PROTECTED not in str(error):
                raise
            return str(error)
        return ""

    def _may_replace(self, disrupted: Sequence[Disruption], refused: str) -> None:
        """Raises Refusal unless the person asked for it, and everything on the cluster is here."""
        if not disrupted:  # what the nodes stand on cannot be replaced under them
            raise Refusal(
                f"{self.name} stands, and this would replace what its nodes stand on ({refused.partition(' To ')[0]}): "
                "set that back, or 'fab down' first, then up"
            )
        what = f"this would replace {told(disrupted)}"
        if self.all_fetched is None:
            raise Refusal(
                f"{self.name} stands, and {what}, with what is on them: set that back; or 'fab down' first, then up; "
                "or give --replace, which does it once everything is fetched"
            )
        self.all_fetched()
        self.person.say(f"{what}: everything that was measured there is here")

    def _alive(self, outputs: dict[str, Any]) -> bool:
        """True where the cluster lives. Raises Refusal where its lifetime is over and the head still stands."""
        if "inventory" not in outputs or "lifetime_s" not in outputs:
            return False
        expires = pairing.of_outputs(outputs, self.name).expires_at
        if expires is None or lifetime_left_s(expires, self.clock.utc()) > 0:
            return True
        head = parse_offer(outputs).instances[0]
        if self._is_there(head):
            raise Refusal(
                f"the lifetime of {self.name} ended at {expires}, and its stopped head still has its disk: "
                f"'fab down --cluster {self.name}' first, then up again"
            )
        self.folder.inventory.unlink(missing_ok=True)
        return False

    def _has_key(self, outputs: dict[str, Any]) -> None:
        """Raises Refusal on a machine that has not the living cluster's key: the program would make another."""
        if pairing.of_outputs(outputs, self.name).key_file and not self.folder.key.exists():
            raise Refusal(
                f"{self.name} lives, and {self.folder.key} is not here: bring it from the machine that made the "
                "cluster (mode 0600)"
            )

    def _unknown(self) -> None:
        """Raises Refusal where Google has what is not in this stack's state: another state's, or orphans."""
        with suppress(GoogleError):  # said where the quota is read
            if left := self.google.resources(prefix(self.name)):
                show(self.person, left)
                raise Refusal(
                    f"Google has {len(left)} things of {self.name} that Pulumi's state here does not know: "
                    f"'pulumi login' where it lies, or 'fab down --orphans --cluster {self.name}'"
                )
            self.folder.inventory.unlink(missing_ok=True)  # of a cluster that is gone

    def _is_there(self, head: Instance) -> bool:
        try:
            return self.google.status(head.zone, head.name) is not None
        except GoogleError as error:
            raise Refusal(str(error)) from error

    def _unchanged(self, lives_s: int, asked_s: int) -> None:
        if lives_s != asked_s:
            raise Refusal(
                f"{self.name} lives, for {duration(lives_s)}, and {duration(asked_s)} is asked for: "
                f"another lifetime would replace its nodes; 'fab down' first, or set {LIFETIME} to {lives_s}s"
            )

    def _quotas(self, offer: Offer) -> tuple[dict[str, Quota], str]:
        try:
            return self.google.quotas(offer.access.region), ""
        except GoogleError as error:
            return {}, str(error)

    # After it

    def _make(self, seen: Seen) -> None:
        if self.budget is not None:
            self.stack.set(LIFETIME, f"{seen.offer.lifetime_s}s")
            self.person.say(f"{LIFETIME} is {seen.offer.lifetime_s}s from now on, until you set another")
        if seen.replaced:
            unlocked(self.stack, self.person, self.clock.utc(), self.stack.unprotect)
        with following(self.person, "up", seen.planned) as heard:
            unlocked(self.stack, self.person, self.clock.utc(), lambda: self.stack.up(heard, seen.replaced))

    def _entered(self, seen: Seen) -> Inventory:
        """Waits for the nodes, pins them, lets the head into them."""
        nodes = Nodes(self.stack, self.google, self.person, self.clock, seen.offer.instances, seen.stood)
        host_keys = nodes.host_keys()
        while nodes.make_alike():
            host_keys = nodes.host_keys()
        found = pairing.of_outputs(self.stack.outputs(), self.name)
        pairing.write(self.folder, found, host_keys)
        here = beside(found, self.folder.folder)
        pairing.pair(here, host_keys, self.clock.now, self.clock.sleep)
        return found

    def _failed(self, why: str, stood: bool) -> Stopped:
        """What to raise; a cluster that was made just now is taken down again."""
        if stood or self.keep:
            kept = "as --keep says" if self.keep else "for it stood before"
            return Stopped(f"{why}: what is there stays, {kept}, and bills until 'fab down --cluster {self.name}'")
        self.person.say(f"{why}: what was made is taken down again (Ctrl-C leaves it)")
        try:
            unlocked(self.stack, self.person, self.clock.utc(), lambda: destroyed(self.stack, self.person, None))
            files.remove(self.folder)
            left = self.google.resources(prefix(self.name))
        except (StackError, GoogleError, Refusal, OSError) as error:
            return Stopped(f"{why}; then it could not be taken down ({error}): 'fab down --cluster {self.name}'")
        if left:
            return Stopped(f"{why}; {len(left)} things are left and may bill: 'fab down --orphans'")
        return Stopped(f"{why}: {self.name} is taken down again, nothing is left of it")
