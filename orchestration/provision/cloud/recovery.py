"""What a killed `up` or `down` left in the stack: its lock, and operations of which nobody knows the end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime

import psutil

from orchestration.errors import Refusal
from orchestration.operator import Person
from orchestration.provision.cloud.clients.compute import Google, GoogleError
from orchestration.provision.cloud.clients.progress import following
from orchestration.provision.cloud.clients.pulumi_stack import Held, Lock, LockedError, Stack
from orchestration.provision.cloud.clients.stack_settings import prefix
from orchestration.provision.cloud.offer import duration

NOBODY = Lock("", "", 0, "")


def unlocked(stack: Stack, person: Person, utc: str, action: Callable[[], None]) -> None:
    """The action; where a lock stands in its way it is shown with its age, cleared on consent, and the action repeated.

    Raises Refusal where the lock's holder is at work, or the person declines; StackError.
    """
    try:
        action()
    except LockedError as error:
        lines = [described(lock, utc) for lock in error.locks] or [str(error)]
        if any(_at_work(lock) for lock in error.locks):
            raise Refusal(f"the stack is being worked at: {'; '.join(lines)}: wait for it, or end it") from error
        if person.yes and not all(lock.host == socket.gethostname() for lock in error.locks or [NOBODY]):
            raise Refusal(
                f"the stack is locked, {'; '.join(lines)}: --yes does not clear what another machine may be at work "
                "on; make sure that nobody is, then 'pulumi cancel'"
            ) from error
        if not person.agrees(f"The stack is locked: {'; '.join(lines)}. Is nobody at work on it, and the lock to go?"):
            raise Refusal("the stack is locked, and stays so: wait for whoever holds it") from error
        stack.unlock()
        action()


def settled(stack: Stack, google: Google, person: Person, utc: str, held: Held) -> None:
    """Forgets on consent what was begun and never ended, and deletes what Google made of it: nothing ran there yet.

    Raises Refusal, StackError.
    """
    if not held.pending:
        return
    age = f", {_age(held.since, utc)} ago" if held.since else ""
    what = f"{', '.join(held.pending)} {'was' if len(held.pending) == 1 else 'were'} begun and never ended{age}"
    if not person.agrees(f"{what}. Forget that, and delete what Google made of it?"):
        raise Refusal(f"{what}: say yes to forget that, or see to it with 'pulumi refresh'")
    with following(person, "refresh") as heard:
        unlocked(stack, person, utc, lambda: stack.refresh(heard, forget_pending=True))
    try:
        for item in google.resources(prefix("")) if held.begun else ():
            if (item.kind, item.name) in held.begun:
                google.delete(item)
                person.say(f"deleted {item.kind} {item.name}, which the stack's state never knew")
    except GoogleError as error:
        raise Refusal(f"{error}: 'fab down --orphans' lists what Google made of what never ended") from error


def described(lock: Lock, utc: str) -> str:
    """`by me@lab, process 7, 12 min ago`."""
    return f"by {lock.user}@{lock.host}, process {lock.pid}, {_age(lock.since, utc)} ago"


def _age(since: str, utc: str) -> str:
    try:
        begun = datetime.fromisoformat(since)
    except ValueError:
        return since
    begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
    return duration(max(0.0, (datetime.fromisoformat(utc) - begun).total_seconds()))


def _at_work(lock: Lock) -> bool:
    """True where the holder is a living engine on this machine; of other machines nothing is known."""
    if lock.host != socket.gethostname() or not psutil.pid_exists(lock.pid):
        return False
    try:
        return "pulumi" in psutil.Process(lock.pid).name()
    except psutil.Error:
        return False
