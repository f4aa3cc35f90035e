"""Leases: one `fab` in a sweep's folder, and one sweep, probe or check on a cluster.

The second is held on the cluster's head, on this machine for all its accounts, or beside the sweeps of an allocation,
so that it holds against other checkouts and other people.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal, Stopped
from orchestration.executors.folder_lease import FolderLease
from orchestration.executors.remote.lease import SHAPE, described, whose
from orchestration.executors.remote.survey import printable
from orchestration.jobs.executor import Executor, HeadLostError, Lease
from orchestration.paths import SweepPaths
from workload.agent import supervise
from workload.record.schema import SchemaError, check_shape

JOINED, LEFT = "joined", "left"  # events of the ledger
TURN_S = 0.2  # between two looks at whether what another does for a moment is done
LOOK_S = 2.0  # between two looks at a cluster that another sweep has


@contextmanager
def locked(paths: SweepPaths, make: Callable[[SweepPaths], None] = SweepPaths.make) -> Iterator[Callable[[], None]]:
    """Makes the folder and holds it: one `fab` at a time, on whichever machine. Raises Refusal.

    Yields what raises Stopped where another took the folder meanwhile.
    """
    lease = FolderLease(paths.lease)
    try:
        make(paths)
        other = lease.take(_document(paths))
    except OSError as error:
        raise Refusal(f"{paths.folder} cannot be written ({error.strerror}): give another --out") from error
    if other is not None:
        who = str(printable(str(other.get("who"))))[:200]
        raise Refusal(f"{paths.folder} is being worked at by {who}: wait for it, or give --new")

    def check() -> None:
        if lease.lost():
            raise Stopped(f"{paths.folder} was taken over by another fab while this one was held up: it goes on there")

    try:
        yield check
    finally:
        lease.release(paths.mark)


@contextmanager
def in_turn(paths: SweepPaths, folder: Path) -> Iterator[None]:
    """Holds `folder` for what is done with the sweep in `paths`, after whoever else does. Raises Refusal."""
    lease = FolderLease(folder)
    try:
        while lease.take(_document(paths)) is not None:
            time.sleep(TURN_S)
    except OSError as error:
        raise Refusal(f"{folder} cannot be written ({error.strerror}): give another --out") from error
    try:
        yield
    finally:
        lease.release(paths.mark)


@dataclass(frozen=True)
class Turn:
    """What a sweep does where another has this machine: it is refused, waits for it, or runs beside it.

    `say` tells the person whom it waits for.
    """

    wait: bool = False
    concurrent: bool = False
    say: Callable[[str], None] = print
    sleep: Callable[[float], None] = time.sleep

    def check(self, inventory: Inventory) -> None:
        """Refuses a turn that cannot be: raises Refusal."""
        if self.wait and self.concurrent:
            raise Refusal("--wait and --concurrent contradict each other: give one of them")
        if (self.wait or self.concurrent) and not inventory.is_this_machine:
            raise Refusal(f"--wait and --concurrent are for this machine, not for {inventory.cluster}")


@contextmanager
def held(
    executor: Executor, inventory: Inventory, paths: SweepPaths, utc: str, turn: Turn | None = None
) -> Iterator[str]:
    """Holds the cluster for the sweep while inside; yields a line on the sweep beside which it runs, empty for none.

    Raises Refusal naming the sweep that has it; a sweep that never began leaves no folder then.
    """
    turn, beside, told = turn or Turn(), "", False
    document = {**_document(paths), "since_utc": utc}
    try:
        while (other := _taken_by(executor, inventory, document)) is not None:
            words = f"cluster {inventory.cluster} {whose(other)}"
            if turn.concurrent:
                beside = f"{words}: both measure each other"
                _tell(executor.lease, document)
                break
            if not turn.wait:
                raise Refusal(f"{words}: {_remedy(inventory)}")
            if not told:
                turn.say(f"{words}: waiting for it")
                told = True
            turn.sleep(LOOK_S)
    except BaseException:
        if not paths.ledger.exists():
            paths.unmake()
        raise
    try:
        yield beside
    finally:
        executor.lease.release(paths.mark)


@contextmanager
def this_machine_held(
    executor: Executor, inventory: Inventory, paths: SweepPaths, utc: str, turn: Turn
) -> Iterator[str]:
    """Holds this machine as `held` does, for a probe or a check in that folder; another head lets only one in itself.

    Raises Refusal.
    """
    turn.check(inventory)
    if not inventory.is_this_machine:
        yield ""
        return
    with held(executor, inventory, paths, utc, turn) as beside:
        yield beside


def _document(paths: SweepPaths) -> dict[str, Any]:
    """Which sweep this process works at, and who it is."""
    who = f"{_user()}@{socket.gethostname()}, process {os.getpid()}"
    fab = supervise.identity(psutil.Process())
    return {"sweep": paths.mark, "folder": str(paths.folder), "who": who, "fab": fab}


@dataclass
class Joiners:
    """Sweeps that were started beside the one that has this machine."""

    lease: Lease
    _living: dict[str, bool] = field(default_factory=dict, init=False)  # by their words

    def news(self) -> Iterator[tuple[str, str]]:
        """What is new since it was last asked: JOINED or LEFT, and which sweep in words."""
        for other in self.lease.joined():
            if not isinstance(other, dict) or not (words := described(other)):
                continue
            if words not in self._living:
                self._living[words] = True
                yield JOINED, words
            if self._living[words] and _is_dead(other):
                self._living[words] = False
                yield LEFT, words


def _tell(lease: Lease, document: Mapping[str, Any]) -> None:
    """Tells the sweep that has this machine of the one that the document describes, where its lock can be written."""
    with suppress(OSError):
        lease.join(document)


def _taken_by(executor: Executor, inventory: Inventory, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Takes the cluster; the lease of another sweep where that has it. Raises Refusal."""
    try:
        other = executor.lease.take(document)
        if other is not None and _is_dead(other):
            other = executor.lease.take(document, str(other["sweep"]))
        return other
    except OSError as error:
        head = inventory.nodes[0].name
        raise Refusal(f"{head}: {error.filename}: {error.strerror}: no run can start there") from error
    except HeadLostError as error:
        raise Refusal(f"the head {error}") from error


def _remedy(inventory: Inventory) -> str:
    if inventory.is_this_machine:
        return "two at once measure each other; --wait starts after it, --concurrent beside it, marked"
    return "wait for it, for two at once measure each other; where its fab was killed, 30 s after its last run will do"


def _is_dead(other: Mapping[str, Any]) -> bool:
    """True if the `fab` that holds the cluster ran on this machine and is gone."""
    try:
        check_shape(other, SHAPE, "the lease")
        here = not supervise.restarted(other["fab"])
        return here and not supervise.lives(other["fab"])
    except (SchemaError, KeyError, TypeError, ValueError):
        return False


def _user() -> str:
    """The person's login name, or the number of an account that has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
