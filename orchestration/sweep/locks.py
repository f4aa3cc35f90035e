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

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.executors.remote.lease import SHAPE, taken
from orchestration.jobs.executor import Executor, HeadLostError
from orchestration.paths import SweepPaths
from workload.agent import supervise
from workload.record.schema import SchemaError, check_shape


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
def held(executor: Executor, inventory: Inventory, paths: SweepPaths, utc: str) -> Iterator[None]:
    """Holds the cluster for the sweep while inside.

    Raises Refusal naming the sweep that has it; a sweep that never began leaves no folder then.
    """
    who = f"{_user()}@{socket.gethostname()}, process {os.getpid()}"
    fab = supervise.identity(psutil.Process())
    document = {"sweep": paths.mark, "folder": str(paths.folder), "who": who, "since_utc": utc, "fab": fab}
    try:
        other = executor.lease.take(document)
        if other is not None and _is_dead(other):
            other = executor.lease.take(document, str(other["sweep"]))
    except OSError as error:
        head = inventory.nodes[0].name
        raise Refusal(f"{head}: {error.filename}: {error.strerror}: no run can start there") from error
    except HeadLostError as error:
        raise Refusal(f"the head {error}") from error
    if other is not None:
        if not paths.ledger.exists():
            paths.unmake()
        raise Refusal(f"cluster {inventory.cluster} {taken(other)}")
    try:
        yield
    finally:
        executor.lease.release(paths.mark)


def _is_dead(other: Mapping[str, Any]) -> bool:
    """True where the `fab` that holds a cluster ran on this machine, and is gone."""
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
