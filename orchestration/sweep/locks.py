"""Who may work: one `fab` in a sweep's folder, and one sweep on a cluster.

The second is held on the cluster's head, so that it holds against other checkouts and other people.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from orchestration.errors import Refusal
from orchestration.jobs.executor import HeadLostError, Place
from orchestration.jobs.remote.executor import Remote
from orchestration.jobs.remote.survey import printable
from orchestration.paths import SweepPaths
from workload.agent import supervise
from workload.record.schema import SchemaError, check_shape

TOLD = ("folder", "who", "since_utc")
SHAPE = {"sweep": str, "folder": str, "who": str, "since_utc": str, "fab": {"pid": int, "create_time": float}}


@contextmanager
def locked(paths: SweepPaths) -> Iterator[None]:
    """Makes the folder and holds its lock: one `fab` at a time. Raises Refusal."""
    try:
        paths.make()
        file = paths.lock.open("a+")
    except OSError as error:
        raise Refusal(f"{paths.folder} cannot be written ({error.strerror}): give another --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Refusal(
                f"{paths.folder} is being worked at by process {file.read().strip()}: wait for it, or give --new"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def held(place: Place, paths: SweepPaths, utc: str) -> Iterator[None]:
    """Holds the cluster for the sweep while inside; this machine needs no holding.

    Raises Refusal naming the sweep that has it; a sweep that never began leaves no folder then.
    """
    if not isinstance(place, Remote):
        yield
        return
    who = f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
    fab = supervise.identity(psutil.Process())
    document = {"sweep": paths.mark, "folder": str(paths.folder), "who": who, "since_utc": utc, "fab": fab}
    try:
        other = place.take(document)
        if other is not None and _is_dead(other):
            other = place.take(document, str(other["sweep"]))
    except OSError as error:
        raise Refusal(f"{place.head.name}: {error.filename}: {error.strerror}: no run can start there") from error
    except HeadLostError as error:
        raise Refusal(f"the head {error}") from error
    if other is not None:
        if not paths.ledger.exists():
            paths.unmake()
        raise Refusal(f"cluster {place.inventory.cluster} {taken(other)}")
    try:
        yield
    finally:
        place.release(paths.mark)


def _is_dead(other: Mapping[str, Any]) -> bool:
    """True where the `fab` that holds a cluster ran on this machine, and is gone."""
    try:
        check_shape(other, SHAPE, "the lease")
        here = not supervise.restarted(other["fab"])
        return here and not supervise.lives(other["fab"])
    except (SchemaError, KeyError, TypeError, ValueError):
        return False


def let_go(place: Place, paths: SweepPaths) -> None:
    """Gives back what a killed `fab` left of its hold."""
    if isinstance(place, Remote):
        place.release(paths.mark)


def taken(other: Mapping[str, Any]) -> str:
    """By whom a cluster is held, in words; what comes from the head is not trusted."""
    try:
        check_shape(other, SHAPE, "the lease")
    except SchemaError:
        return "is held by another sweep: wait for it"
    said = {name: str(printable(other[name]))[:200] for name in TOLD}
    return (
        f"is at work for the sweep in {said['folder']} ({said['who']}, since {said['since_utc']}): wait for it, for "
        "two at once would measure each other; where its fab was killed, 30 s after its last run will do"
    )
