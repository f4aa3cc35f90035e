"""Compiled kernels on disk, in a directory that only the user can write to.

An entry is code that will be executed. So it is trusted only if the directory and the file belong to the user, nobody
else can write to them, and the file holds its key and the digest of its code. Anything else is ignored.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

MAGIC = b"convscale kernel 1\n"
DIGEST_BYTES = hashlib.sha256().digest_size
MAX_ENTRY_BYTES = 2**24


class CodeCache:
    """Object code by key. If the disk fails there is no cache: `get` finds nothing, `put` does nothing."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, key: str) -> Path:
        """The file of a key. The key may be any text; its digest is the name."""
        return self.directory / f"{hashlib.sha256(key.encode()).hexdigest()}.kernel"

    def get(self, key: str) -> bytes | None:
        """The code stored under a key, None if there is none that can be trusted."""
        try:
            if not self._private():
                return None
            entry = _read_own(self.path(key))
        except OSError:
            return None
        header = _header(key)
        digest, code = entry[len(header) : len(header) + DIGEST_BYTES], entry[len(header) + DIGEST_BYTES :]
        whole = entry.startswith(header) and hashlib.sha256(code).digest() == digest
        return code if whole and code else None

    def put(self, key: str, code: bytes) -> None:
        """Stores code under a key, whole or not at all."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._private():
                _write_whole(self.path(key), _header(key) + hashlib.sha256(code).digest() + code)
        except OSError:
            return

    def _private(self) -> bool:
        status = self.directory.lstat()  # a link in its place is not followed
        return stat.S_ISDIR(status.st_mode) and _only_ours(status)


def _header(key: str) -> bytes:
    return MAGIC + hashlib.sha256(key.encode()).digest()


def _only_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read_own(path: Path) -> bytes:
    """The content of a regular file of the user's; empty if it is somebody else's or absurdly large. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)  # of the file that was opened: the path may name another by now
        if not stat.S_ISREG(status.st_mode) or not _only_ours(status) or status.st_size > MAX_ENTRY_BYTES:
            return b""
        return file.read()


def _write_whole(path: Path, entry: bytes) -> None:
    handle, partial = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(entry)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
