"""What a program prints, as its job keeps it: the last 16 MiB at least, never twice that; reports of ranks apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

KEPT_BYTES = 16 * 2**20
LINE_BYTES = 2**16  # a longer line is written on in pieces


class BoundedLog:
    """Takes output piece by piece. Lines that begin with `mark` become JSON objects in `reports`, and are not kept."""

    def __init__(self, path: Path, mark: str, kept_bytes: int = KEPT_BYTES) -> None:
        self.path, self._old, self._kept = path, path.with_name(f"{path.name}.old"), kept_bytes
        self.reports: list[dict[str, Any]] = []
        self.cut = False  # earlier output was dropped
        self._mark = mark.encode()
        self._report = re.compile(rb"^" + re.escape(self._mark) + rb" (\{.*\})\n", re.MULTILINE)
        self._file = path.open("wb")
        self._size, self._rest = 0, b""

    def write(self, piece: bytes) -> None:
        """Takes a piece of any length. Raises OSError."""
        data = self._rest + piece
        end = data.rfind(b"\n") + 1
        if self._mark not in data and len(data) - end > LINE_BYTES:
            end = len(data)
        self._rest = data[end:]
        self._keep(self._taken(data[:end]))

    def close(self) -> None:
        """The kept output is one file from now on. Raises OSError."""
        self._keep(self._taken(self._rest))
        self._file.close()
        if self._old.exists():
            last = self._old.read_bytes()[-max(0, self._kept - self._size) or self._size + self._kept :]
            if self._size < self._kept:
                self.path.write_bytes(last + self.path.read_bytes())
            self._old.unlink()

    def _taken(self, data: bytes) -> bytes:
        if self._mark not in data:
            return data

        def take(found: re.Match[bytes]) -> bytes:
            try:
                document = json.loads(found[1])
            except ValueError:
                return found[0]
            self.reports.append(document)
            return b""

        return self._report.sub(take, data)

    def _keep(self, data: bytes) -> None:
        for start in range(0, len(data), self._kept):
            piece = data[start : start + self._kept]
            if self._size + len(piece) > self._kept:
                self._file.close()
                self.cut = self.cut or self._old.exists()
                self.path.replace(self._old)
                self._file, self._size = self.path.open("wb"), 0
            self._file.write(piece)
            self._file.flush()
            self._size += len(piece)
