"""The lease of a folder that several machines may see. It rests on no file lock, which a shared file system may ignore.

Every file system makes a file of a name once. The holder is whoever made the file with the highest number in the
folder, and renews the file's time. Whether a holder on another machine is at work is watched: clocks are not compared.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.executors.machine_lease import LIMIT_BYTES, parsed
from orchestration.jobs.executor import Lease
from workload.agent import supervise
from workload.record.schema import SchemaError, check_shape

RENEW_S = 5.0
DEAD_S = 30.0  # without renewal: then another machine's holder is gone
RELEASED = "{}"
MADE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class FolderLease(Lease):
    """A lease in `folder`, which is made. `at_work`: whether a dead holder left something that still holds it."""

    folder: Path
    at_work: Callable[[Mapping[str, Any]], bool] = lambda _: False
    renew_s: float = RENEW_S
    dead_s: float = DEAD_S
    _held: int | None = field(default=None, init=False)
    _mark: str = field(default="", init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)

    def take(self, document: Mapping[str, Any], *_dead: str) -> Mapping[str, Any] | None:
        """Takes the lease; returns the document of another that holds. Raises OSError.

        `document["fab"]` is the holder's process, as supervise.identity has it. A holder on another machine is
        watched, at most `dead_s`.
        """
        if self._held is not None:
            return None
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            last = self._last()
            if last and (other := self._holder(last, str(document["sweep"]))) is not None:
                return other
            if self._make(last + 1, json.dumps(document)):
                self._mark = str(document["sweep"])
                return None
            time.sleep(self.renew_s / 50)  # another was faster

    def release(self, mark: str) -> None:
        """Gives the lease back where this process has it. Its file stays, so that no number comes again."""
        if self._held is None or mark != self._mark:
            return
        self._over.set()
        with suppress(OSError):
            if not self.lost():
                self._path(self._held).write_text(RELEASED)
        self._held = None

    def lost(self) -> bool:
        """Whether another took the lease while this process was held up for longer than `dead_s`."""
        return self._held is not None and self._last() > self._held

    def _holder(self, number: int, mark: str) -> Mapping[str, Any] | None:
        """What the holder says of itself; None where there is none any more, or the same sweep's is dead."""
        path = self._path(number)
        first, until = _look(path), time.monotonic() + self.dead_s
        while (seen := _look(path)) is not None and seen[1] != RELEASED:
            document = parsed(seen[1])
            if _is_here(document):
                return document if supervise.lives(document["fab"]) or self._left(document, mark) else None
            if seen != first:
                return document
            if time.monotonic() >= until:
                return document if self._left(document, mark) else None
            time.sleep(self.renew_s / 10)
        return None

    def _left(self, document: Mapping[str, Any], mark: str) -> bool:
        return document.get("sweep") != mark and self.at_work(document)

    def _make(self, number: int, text: str) -> bool:
        """Becomes the holder by making the file of that number, unless another has done so."""
        path = self._path(number)
        try:
            with os.fdopen(os.open(path, MADE, 0o644), "w") as file:
                file.write(text)
        except (FileExistsError, FileNotFoundError):
            return False
        if self._last() > number:  # whoever made it removed those before
            path.unlink(missing_ok=True)
            return False
        for older in self._numbers() - {number}:
            self._path(older).unlink(missing_ok=True)
        self._held, self._over = number, threading.Event()
        threading.Thread(target=self._renew, args=(path, self._over), daemon=True).start()
        return True

    def _renew(self, path: Path, over: threading.Event) -> None:
        while not over.wait(self.renew_s):
            with suppress(OSError):
                os.utime(path)

    def _path(self, number: int) -> Path:
        return self.folder / str(number)

    def _last(self) -> int:
        return max(self._numbers(), default=0)

    def _numbers(self) -> set[int]:
        with suppress(FileNotFoundError):
            return {int(path.name) for path in self.folder.iterdir() if path.name.isdecimal()}
        return set()


def _look(path: Path) -> tuple[int, str] | None:
    """The time of the last renewal, and what the file says; None where it is gone.

    It is opened anew each time: a network file system then asks its server.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns, file.read(LIMIT_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return None


def _is_here(document: Mapping[str, Any]) -> bool:
    """Whether the holder is a process of this machine, whose end can be seen."""
    try:
        check_shape(document, {"fab": {"pid": int, "create_time": float}}, "the lease")
    except SchemaError:
        return False
    return not supervise.restarted(document["fab"])
