"""`fab down` of a stack: nothing that was measured is lost unasked, and what is left at Google is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.clusters.folder import ClusterFolder
from orchestration.errors import Refusal, Stopped
from orchestration.operator import Person
from orchestration.provision import files
from orchestration.provision.cloud.clients.compute import Google, GoogleError, Resource
from orchestration.provision.cloud.clients.progress import following
from orchestration.provision.cloud.clients.pulumi_stack import Stack, StackError
from orchestration.provision.cloud.clients.stack_settings import prefix
from orchestration.provision.cloud.recovery import settled, unlocked
from orchestration.tables import TextTable


@dataclass(frozen=True)
class Down:
    """One `fab down`; `utc` is the time now."""

    stack: Stack
    google: Google
    folder: ClusterFolder
    person: Person
    utc: str

    def down(self) -> None:
        """Destroys, then proves that nothing is left. Raises Refusal, Stopped."""
        name = self.folder.name
        try:
            held = self.stack.held()
            settled(self.stack, self.google, self.person, self.utc, held)
        except StackError as error:
            raise Refusal(str(error)) from error
        try:
            unlocked(self.stack, self.person, self.utc, lambda: destroyed(self.stack, self.person, held.resources))
        except StackError as error:
            raise Stopped(f"{error}: the same command goes on, and 'fab down --orphans' needs no state") from error
        files.remove(self.folder)
        try:
            left = self.google.resources(prefix(name))
        except GoogleError as error:
            raise Stopped(f"{name} is destroyed, but what is left cannot be listed: {error}") from error
        if left:
            show(self.person, left)
            raise Stopped(f"{len(left)} things are left: 'fab down --orphans --cluster {name}' removes them")


def destroyed(stack: Stack, person: Person, count: int | None) -> None:
    """Everything that the stack's state knows is gone, rank 0's protected node too. Raises StackError."""
    stack.unprotect()
    with following(person, "down", count) as heard:
        stack.destroy(heard)


def orphans(google: Google, begins: str, person: Person) -> int:
    """Lists what begins so at Google, and deletes it on consent: how many things. Raises Refusal, Stopped."""
    try:
        found = google.resources(begins)
    except GoogleError as error:
        raise Refusal(str(error)) from error
    if not found:
        return 0
    show(person, found)
    if not person.agrees(f"Delete these {len(found)} in project {google.project}, with the records on their disks?"):
        raise Refusal("nothing is deleted: you did not say yes")
    try:
        for item in found:
            google.delete(item)
            person.say(f"deleted {item.kind} {item.name}")
        left = google.resources(begins)
    except GoogleError as error:
        raise Stopped(f"{error}: the same command goes on") from error
    if left:
        raise Stopped(f"{', '.join(item.name for item in left)} cannot be deleted: look at Google's console")
    return len(found)


def show(person: Person, found: Sequence[Resource]) -> None:
    """A table of what is there, and whether it bills."""
    rows = [
        [item.kind, item.name, item.place or "global", item.created, item.status, "bills" if item.bills else ""]
        for item in found
    ]
    person.show([TextTable(("kind", "name", "where", "made", "state", ""), rows)])
