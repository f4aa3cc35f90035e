"""Copies the files of a job from the head and checks their checksums. Data from nodes is not trusted.

Only regular files in the job's own folder are read, under names that we chose, and never more bytes than asked for.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

PIECE_BYTES = 2**20
TRIES = 3


@dataclass(frozen=True)
class Entry:
    """Size and SHA-256 of a file, as the head read it there."""

    size: int
    sha256: str


def entries(document: Any) -> dict[str, Entry]:
    """The files listed in the head's answer; entries without a valid name, size and digest are left out."""
    found: dict[str, Entry] = {}
    for name, value in document.items() if isinstance(document, Mapping) else ():
        plain = isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and "\0" not in name
        shaped = isinstance(value, list) and len(value) == 2 and isinstance(value[1], str)
        if plain and shaped and type(value[0]) is int and value[0] >= 0:
            found[name] = Entry(value[0], value[1])
    return found


@dataclass(frozen=True)
class Puller:
    """Reads files over SFTP: `files` is paramiko's client, or what has its `lstat` and `open`."""

    files: Any

    def content(self, path: PurePosixPath, entry: Entry, limit_bytes: int) -> bytes:
        """The file's bytes. Raises ValueError if it is too large, not a regular file, or arrives damaged every time."""
        if entry.size > limit_bytes:
            raise ValueError(f"{path.name} has {entry.size} bytes, more than the {limit_bytes} that are taken")
        for _ in range(TRIES):
            self._check_plain(path)
            content = b"".join(self._pieces(path, 0, entry.size))
            if hashlib.sha256(content).hexdigest() == entry.sha256:
                return content
        raise ValueError(f"{path.name} came damaged {TRIES} times: its SHA-256 is not the head's")

    def tail(self, path: PurePosixPath, limit_bytes: int) -> bytes:
        """The file's last bytes; nothing where there is none."""
        try:
            size = self._check_plain(path)
        except FileNotFoundError:
            return b""
        return b"".join(self._pieces(path, max(0, size - limit_bytes), limit_bytes))

    def file(self, path: PurePosixPath, entry: Entry, target: Path) -> None:
        """Brings the file to `target`, whole or not at all; goes on where a broken connection left off.

        Raises OSError, and ValueError as `content` does.
        """
        partial = target.with_name(f".{target.name}.{entry.sha256[:16]}.partial")
        for _ in range(TRIES):
            self._check_plain(path)
            have = partial.stat().st_size if partial.exists() else 0
            with partial.open("ab") as file:
                if have < entry.size:
                    for piece in self._pieces(path, have, entry.size - have):
                        file.write(piece)
            with partial.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256:
                    partial.replace(target)
                    return
            partial.unlink()
        raise ValueError(f"{path.name} came damaged {TRIES} times: its SHA-256 is not the head's")

    def _check_plain(self, path: PurePosixPath) -> int:
        """The size of a plain file. Raises FileNotFoundError, or ValueError where it is a link or anything else."""
        status = self.files.lstat(str(path))
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path.name} is no plain file")
        return int(status.st_size)

    def _pieces(self, path: PurePosixPath, start: int, length: int) -> Any:
        with self.files.open(str(path), "rb") as file:
            file.seek(start)
            if length > PIECE_BYTES:
                file.prefetch(start + length)
            while length > 0 and (piece := file.read(min(length, PIECE_BYTES))):
                length -= len(piece)
                yield piece
