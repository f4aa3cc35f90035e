"""Holds a cluster for one sweep at a time: on its head, so that it holds against other checkouts and other people."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from orchestration.paths import SweepPaths
from orchestration.place import Place
from orchestration.refusal import Refusal
from orchestration.remote import Remote
from orchestration.surveys import printable
from workload import supervise
from workload.record import SchemaError, check_shape

TOLD = ("folder", "who", "since_utc")
SHAPE = {"sweep": str, "folder": str, "who": str, "since_utc": str, "fab": {"pid": int, "create_time": float}}


@contextmanager
def held(place: Place, paths: SweepPaths, utc: str) -> Iterator[None]:
    """Holds the cluster for the sweep while inside. Raises Refusal naming the sweep that has it.

    This machine needs none: its own runs are seen by whoever looks.
    """
    if not isinstance(place, Remote):
        yield
        return
    who = f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
    fab = supervise.identity(psutil.Process())
    document = {"sweep": paths.mark, "folder": str(paths.folder), "who": who, "since_utc": utc, "fab": fab}
    other = place.take(document)
    if other is not None and _is_dead(other):
        other = place.take(document, str(other["sweep"]))
    if other is not None:
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
