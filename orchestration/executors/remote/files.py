"""The files of finished jobs, copied from the head and checked against its checksums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from orchestration.executors.remote.download import Entry, Puller, entries
from orchestration.executors.remote.head import Head

Result = TypeVar("Result")


class JobFiles:
    """What the jobs on a head left. `over` tells it the files of a job that is over."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._over: dict[Path, dict[str, Entry]] = {}

    def over(self, job: Path, files: Any) -> None:
        """The job is over: `files` is what the head's answer lists."""
        self._over[job] = entries(files)

    def forget(self, job: Path) -> None:
        """The job is to be started again, or is gone."""
        self._over.pop(job, None)

    def known(self, job: Path) -> Mapping[str, Entry] | None:
        """The files of a job; None where it is not known to be over."""
        return self._over.get(job)

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """A file's content, None where there is none. Raises ValueError, HeadLostError."""
        entry = self._over.get(job, {}).get(name)
        if entry is None:
            return None
        path = self.path(job, name)
        return self._pull(lambda puller: puller.content(path, entry, limit_bytes))

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The end of a file; nothing where there is none. Raises HeadLostError."""
        return self._pull(lambda puller: puller.tail(self.path(job, name), limit_bytes))

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Brings a whole file, where there is one. Raises OSError, HeadLostError."""
        entry = self._over.get(job, {}).get(name)
        if entry is None:
            return
        try:
            self._pull(lambda puller: puller.file(self.path(job, name), entry, target))
        except ValueError as error:
            raise OSError(5, str(error), str(target)) from error

    def path(self, job: Path, name: str) -> PurePosixPath:
        """A job's file on the head."""
        return self._head.jobs / job.name / name

    def _pull(self, action: Callable[[Puller], Result]) -> Result:
        return self._head.insist(lambda: self._try(action))

    def _try(self, action: Callable[[Puller], Result]) -> Result:
        connection = self._head.connection
        puller = Puller(connection.files())
        with connection.explained():
            try:
                return action(puller)
            except FileNotFoundError as error:
                raise ValueError("a file of the job is gone from the head") from error
