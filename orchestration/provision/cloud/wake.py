"""After a cluster's end its head is stopped, with what was measured on its disk: started for a pull, then stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from orchestration.clusters import inventory
from orchestration.clusters.folder import ClusterFolder, read_cluster
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.operator import Person, WallClock
from orchestration.provision.cloud import pairing
from orchestration.provision.cloud.bootstrap import OVER
from orchestration.provision.cloud.clients.compute import Google, GoogleError, Resource
from orchestration.provision.cloud.clients.stack_settings import prefix
from orchestration.ssh import trust
from orchestration.ssh.connection import Connection, UnreachableError, target

# A start that is over does not mean that SSH answers: up to 100 s were seen (GoogleCloudPlatform/cloud-sql-proxy#111,
# googleapis/nodejs-compute#336), and longer through IAP (hashicorp/packer#9528)
PATIENCE_S = 240.0
PAUSE_S = 5.0


@contextmanager
def awake(google: Google, folder: ClusterFolder, found: Inventory, person: Person, clock: WallClock) -> Iterator[None]:
    """The head runs inside and answers; nothing where it runs anyway.

    Raises Refusal where it is gone, is not to be started, or does not answer.
    """
    try:
        head = _head(google, found)
        stopped = head.status in OVER
        if stopped:
            if not person.agrees(
                f"The lifetime of {found.cluster} ended at {found.expires_at}, and its head is {head.status}. "
                "Start it for this, and stop it again (it bills by the second until then)?"
            ):
                raise Refusal(f"{found.cluster} stays stopped: you did not say yes")
            person.say(f"starting {head.name}")
            google.start(head.place, head.name)
    except GoogleError as error:
        raise Refusal(str(error)) from error
    try:
        if stopped:
            _reached(google, head, folder, person, clock)
        yield
    finally:
        if stopped:
            try:
                google.stop(head.place, head.name)
                person.say(f"{head.name} is stopped again; its disk bills until 'fab down --cluster {found.cluster}'")
            except GoogleError as error:
                person.say(f"{head.name} could not be stopped, and bills: {error}")


def _reached(google: Google, head: Resource, folder: ClusterFolder, person: Person, clock: WallClock) -> None:
    """Waits for a session on the head that has just been started. Raises Refusal where none comes."""
    try:
        _readdressed(google.addresses(head.place, head.name), folder)
    except GoogleError as error:
        raise Refusal(str(error)) from error
    found = read_cluster(folder.inventory)
    to = target(found, found.nodes[0])
    begun = clock.now()
    person.say(f"{head.name} runs; waiting for its SSH server at {to.label}, {PATIENCE_S:.0f} s at most")
    while True:
        try:
            with closing(Connection(to)) as connection:
                connection.open()
            person.say(f"{head.name} answers after {clock.now() - begun:.0f} s")
            return
        except UnreachableError as error:
            if clock.now() - begun >= PATIENCE_S:
                raise Refusal(f"{head.name} runs, but its SSH server does not answer ({error})") from error
        clock.sleep(PAUSE_S)


def _head(google: Google, found: Inventory) -> Resource:
    name = f"{prefix(found.cluster)}{found.nodes[0].name}"
    for item in google.resources(name):
        if item.kind == "instance" and item.name == name:
            return item
    raise Refusal(f"{name} is gone, and with it what was on it: 'fab down --cluster {found.cluster}'")


def _readdressed(addresses: Sequence[str], folder: ClusterFolder) -> None:
    """Google may give a started node another external address: the files follow, the pinned keys stay."""
    found = inventory.read(folder.inventory)
    ssh = found.nodes[0].ssh
    if ssh is None or ssh.via != "direct" or ssh.host is None or ssh.host in addresses:
        return
    alike = [address for address in addresses if (":" in address) == (":" in ssh.host)]
    if not alike:
        return
    known = trust.pinned(found.model_copy(update={"known_hosts": str(folder.known_hosts)}))
    head = found.nodes[0].model_copy(update={"ssh": ssh.model_copy(update={"host": alike[0]})})
    moved = found.model_copy(update={"nodes": [head, *found.nodes[1:]]})
    pairing.write(folder, moved, {name: listed[0] for name, listed in known.items() if listed})
