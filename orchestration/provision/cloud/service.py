"""The parts of a cloud task put together: the stack, Google, the cluster's folder, the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from infra import hostfile
from orchestration.clusters.folder import ClusterFolder, folder_of, read_cluster
from orchestration.clusters.inventory import Inventory, Price
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from orchestration.operator import Person, WallClock
from orchestration.paths import RunsFolder
from orchestration.provision import unfetched
from orchestration.provision.cloud import down, made, pairing, type_and_count, wake
from orchestration.provision.cloud.bootstrap import NotReadyError, Waiting
from orchestration.provision.cloud.clients import pulumi_stack, stack_settings
from orchestration.provision.cloud.clients.compute import Google, GoogleError
from orchestration.provision.cloud.clients.pulumi_stack import Pulumi, StackError
from orchestration.provision.cloud.offer import SHORTEST_S, parse_offer
from orchestration.provision.cloud.up import Up

PACKAGES = ("google.cloud.compute_v1", "pulumi")


@dataclass(frozen=True)
class Cloud:
    """What every cloud task needs of the world outside; `root` is the project's folder, absolute."""

    root: Path
    environment: Mapping[str, str]
    person: Person
    clock: WallClock

    def up(self, cluster: str, budget: float | None, keep: bool, replacing: RunsFolder | None = None) -> Inventory:
        """`fab up`; nodes that stand are replaced only where `replacing` says where their records went.

        Raises Refusal, Stopped.
        """
        name, new = self._stack_for(cluster)
        try:
            google = self._google(name)
            chosen, folder = self._select(name, create=True), folder_of(name, self.root)
            fetched = None if replacing is None else partial(self._all_fetched, google, chosen, folder, replacing)
            return Up(chosen, google, folder, self.person, self.clock, budget, keep, fetched).up()
        except (Refusal, Stopped, KeyboardInterrupt):
            if new:
                self._forget(name)
            raise

    def offer(self, cluster: str) -> ClusterOffer:
        """What `fab up` would make, shown with its price and the project's quota. Raises Refusal."""
        name, new = self._stack_for(cluster)
        try:
            chosen, folder = self._select(name, create=True), folder_of(name, self.root)
            seen = Up(chosen, self._google(name), folder, self.person, self.clock).look()
        finally:
            if new:
                self._forget(name)
        found = seen.offer
        price = Price.model_validate(hostfile.price(found.price.model_dump()))
        quota = {} if seen.stood else {room.metric: (room.needed, room.free) for room in seen.rooms if room.counts}
        return ClusterOffer(True, len(found.instances), price, found.lifetime_s, SHORTEST_S, quota=quota)

    def _stack_for(self, cluster: str) -> tuple[str, bool]:
        """The stack of a cluster that is to be made, and whether its settings were written just now. Raises Refusal."""
        _equipped()
        wanted = type_and_count.read(cluster, self.root)
        new = wanted is not None and made.write(wanted, self.root)
        return stack_of(cluster, self.root), new

    def down(self, cluster: str, runs: RunsFolder, discard: bool) -> None:
        """`fab down`. Raises Refusal, Stopped."""
        name = stack_of(cluster, self.root)
        chosen, folder = self._select(name, create=False), folder_of(name, self.root)
        google = self._google(name, _project(chosen))
        if not discard:
            self._all_fetched(google, chosen, folder, runs)
        down.Down(chosen, google, folder, self.person, self.clock.utc()).down()
        if made.is_ours(name, self.root):
            self._forget(name)

    def check(self, cluster: str) -> None:
        """Raises Refusal where a stack cannot be worked at from here."""
        stack_of(cluster, self.root)
        _equipped()
        pulumi_stack.check_installed(self.environment)

    def orphans(self, cluster: str, project: str, alive: Sequence[str]) -> int:
        """`fab down --orphans`: how many things it deleted, none of the clusters `alive`. Raises Refusal, Stopped."""
        if cluster and not stack_settings.NAME.fullmatch(cluster):
            raise Refusal(f"--cluster {cluster!r} is no stack's name: give lower-case letters and digits")
        if not cluster and self.person.yes:
            raise Refusal("--orphans --yes without --cluster would delete every cluster of the project: name one")
        if mine := [name for name in alive if cluster in ("", name)]:
            raise Refusal(
                f"{', '.join(mine)} is no orphan, its inventory is here: 'fab down --cluster {mine[0]}', or --discard"
            )
        google = self._google(cluster, project)
        return down.orphans(google, stack_settings.prefix(cluster), self.person)

    def files(self, cluster: str) -> Inventory:
        """`fab inventory --cluster`: the cluster's files, from the stack's outputs. Raises Refusal."""
        name = stack_of(cluster, self.root)
        try:
            outputs = self._select(name, create=False).outputs()
        except StackError as error:
            raise Refusal(str(error)) from error
        found, offer = pairing.of_outputs(outputs, name), parse_offer(outputs)
        google = self._google(name, offer.access.project)
        waiting = Waiting(google, self.clock.now, self.clock.sleep, lambda _: None, limit_s=0.0)
        host_keys: dict[str, str] = {}
        for item in offer.instances:
            try:
                host_keys |= waiting.host_keys([item])
            except NotReadyError as error:
                self.person.say(f"not pinned: {error}")
        folder = folder_of(name, self.root)
        pairing.write(folder, found, host_keys)
        if found.key_file and not folder.key.exists():
            self.person.say(f"{folder.key} is not here: bring it from the machine that made the cluster (mode 0600)")
        return found

    def head_awake(self, name: str, found: Inventory) -> AbstractContextManager[None]:
        """Inside, the head of a stack past its end runs, which Google stopped; afterwards it is stopped again.

        Raises Refusal.
        """
        return wake.awake(self._google(name), folder_of(name, self.root), found, self.person, self.clock)

    def _google(self, name: str, project: str = "") -> Google:
        """Google for a stack, or for none in particular. Raises Refusal."""
        _equipped()
        known = stack_settings.read(name, self.root) if name else stack_settings.StackSettings("")
        return Google(project or known.project, known.endpoint)

    def _select(self, name: str, create: bool) -> Pulumi:
        _equipped()
        try:
            return pulumi_stack.select(self.root, name, self.environment, self.person.say, create)
        except StackError as error:
            raise Refusal(str(error)) from error

    def _forget(self, name: str) -> None:
        """Removes a stack that was made for a type and count, unless it holds anything; then it is said."""
        try:
            chosen = self._select(name, create=False)
        except Refusal:  # it was never there
            stack_settings.own_file(name, self.root).unlink(missing_ok=True)
            return
        try:
            if held := chosen.held().resources:
                self.person.say(f"stack {name} stays, for its state has {held} things: 'fab down --cluster {name}'")
                return
            chosen.remove()
        except StackError as error:
            self.person.say(f"stack {name} is not removed ({error}): 'pulumi stack rm {name}'")
            return
        stack_settings.own_file(name, self.root).unlink(missing_ok=True)

    def _all_fetched(self, google: Google, chosen: Pulumi, folder: ClusterFolder, runs: RunsFolder) -> None:
        """Raises Refusal where the cluster's head holds, or may hold, what is not here."""
        if not folder.inventory.exists():
            return
        if line := self._unfetched(google, chosen, read_cluster(folder.inventory), runs):
            self.person.say(line)

    def _unfetched(self, google: Google, chosen: Pulumi, found: Inventory, runs: RunsFolder) -> str:
        """Nothing can be lost where the head is gone. Raises Refusal as `unfetched.check` does."""
        try:
            head = parse_offer(chosen.outputs()).instances[0]
            if google.status(head.zone, head.name) is None:
                return f"{head.name} is gone already, and with it whatever was on it"
        except (StackError, GoogleError, Refusal) as error:
            self.person.say(f"whether the head still stands is not known: {error}")
        return unfetched.check(found, runs)


def stack_of(cluster: str, root: Path) -> str:
    """The stack of a name, of type and count, or of the path of a stack's file. Raises Refusal where it can be none."""
    wanted = type_and_count.read(cluster, root)
    if wanted is not None:
        return wanted.stack
    return cluster if cluster in made.names(root) else stack_settings.stack_name(cluster, root)


def _project(chosen: Pulumi) -> str:
    """Where the cluster stands, which on another machine no setting says; empty where the state says nothing either."""
    try:
        return parse_offer(chosen.outputs()).access.project
    except (StackError, Refusal):
        return ""


def _equipped() -> None:
    """Raises Refusal where a package is missing."""
    if missing := [package for package in PACKAGES if not _installed(package)]:
        raise Refusal(f"{', '.join(missing)} is not installed: 'make cloud' brings what clouds need")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
