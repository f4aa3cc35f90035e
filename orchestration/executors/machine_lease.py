"""The lease of this machine: one sweep at a time, whoever starts it and from whichever checkout.

A file that all accounts share is locked while `fab` works, and names its sweep. What it says is not trusted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.paths import SweepPaths
from workload.agent import supervise
from workload.record.files import read_json
from workload.record.schema import SchemaError

MACHINE_LOCK = Path("/tmp/convscale.lock")  # noqa: S108  the one folder that every account has; links are not followed
LIMIT_BYTES = 2**16
MOST_BESIDE = 16  # sweeps that are remembered


@dataclass
class MachineLease:
    """The lease of this machine, which ends with the process that took it."""

    path: Path = MACHINE_LOCK
    _held: int | None = field(default=None, init=False)

    def take(self, document: Mapping[str, Any], *_dead: str) -> Mapping[str, Any] | None:
        """Takes the machine for a sweep; returns the document of another sweep that has it. Raises OSError.

        A killed `fab` has let go of the lock, and its sweep keeps the machine while a run of it is at work.
        """
        if self._held is not None:
            return None
        handle = _open(self.path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(handle)
            os.close(handle)
            return other
        other = _read(handle)
        if other.get("sweep") != document["sweep"] and _at_work(other):
            os.close(handle)
            return other
        self._held = handle
        _write(handle, document)
        return None

    def join(self, document: Mapping[str, Any]) -> None:
        """Tells the sweep that has the machine that this one runs beside it. Raises OSError."""
        handle = _open(self.path)
        try:
            other = _read(handle)
            known = other.get("beside")
            _write(handle, {**other, "beside": [*(known if isinstance(known, list) else ()), document][-MOST_BESIDE:]})
        finally:
            os.close(handle)

    def joined(self) -> Sequence[object]:
        """The documents of all that told this sweep so, as they came: nothing of them is checked."""
        found = None if self._held is None else _read(self._held).get("beside")
        return found if isinstance(found, list) else ()

    def release(self, mark: str) -> None:
        """Gives the machine back where this process has it."""
        if self._held is not None and _read(self._held).get("sweep") in (mark, None):
            _write(self._held, {})
            os.close(self._held)
            self._held = None


def _open(path: Path) -> int:
    """The file, made for all accounts where it is not there. Raises OSError: a link is in its place, for example."""
    while True:
        with suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except PermissionError:  # made by an account with another umask: it can be locked all the same
                return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            os.fchmod(handle, 0o666)
            return handle


def _read(handle: int) -> Mapping[str, Any]:
    """What the file says; nothing where that is no JSON object."""
    return parsed(os.pread(handle, LIMIT_BYTES, 0))


def parsed(text: str | bytes) -> Mapping[str, Any]:
    """What a lease's file says, which is not trusted; empty where that is no JSON object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(handle: int, document: Mapping[str, Any]) -> None:
    with suppress(OSError):  # opened for reading alone: the lock holds, and only says less
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(document).encode(), 0)


def _at_work(other: Mapping[str, Any]) -> bool:
    """True while a run of that sweep is at work on this machine."""
    folder, mark = other.get("folder"), other.get("sweep")
    if not isinstance(folder, str) or not isinstance(mark, str) or not mark.isalnum():
        return False
    with suppress(OSError, ValueError):
        for job in SweepPaths(Path(folder)).jobs.glob(f"*-{mark}"):
            with suppress(OSError, SchemaError, KeyError, TypeError):
                if supervise.lives(read_json(job / supervise.SUPERVISOR)):
                    return True
    return False
