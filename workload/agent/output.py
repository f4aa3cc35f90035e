"""What programs print, as their job keeps it: the last 16 MiB, and never more than twice that on disk or in memory.

Reports of ranks are taken out.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEPT_BYTES = 16 * 2**20
LINE_BYTES = 2**16  # a longer line is written on in pieces
PIECE_BYTES = 2**20
DRAIN_S = 2.0  # for what was printed last, by whoever else holds the pipe


class BoundedLog:
    """Takes output piece by piece. Lines that begin with `mark` become JSON objects in `reports`, and are not kept."""

    def __init__(self, path: Path, mark: str, kept_bytes: int = KEPT_BYTES) -> None:
        self.path, self._old, self._kept = path, path.with_name(f"{path.name}.old"), kept_bytes
        self.reports: list[dict[str, Any]] = []
        self._mark = mark.encode()
        self._report = re.compile(rb"^" + re.escape(self._mark) + rb" (\{.*\})\n", re.MULTILINE)
        self._file = path.open("wb")
        self._size, self._written, self._rest = 0, 0, b""

    def write(self, piece: bytes) -> None:
        """Takes a piece of any length. Raises OSError."""
        data = self._rest + piece
        end = data.rfind(b"\n") + 1
        if self._mark not in data and len(data) - end > LINE_BYTES:
            end = len(data)
        self._rest = data[end:]
        self._keep(self._taken(data[:end]))

    def close(self) -> None:
        """The kept output is one file from now on, and says what is left out before it. Raises OSError."""
        self._keep(self._taken(self._rest))
        self._file.close()
        if self._old.exists():
            kept = (self._old.read_bytes() + self.path.read_bytes())[-self._kept :]
            if left_out := self._written - len(kept):
                kept = f"[convscale: {left_out} bytes of earlier output are left out here]\n".encode() + kept
            self.path.write_bytes(kept)
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
                self.path.replace(self._old)
                self._file, self._size = self.path.open("wb"), 0
            self._file.write(piece)
            self._file.flush()
            self._size += len(piece)
            self._written += len(piece)


class OutputPipe:
    """What commands print, one after the other, goes into a log; what one leaves at work may go on printing."""

    def __init__(self, log: BoundedLog) -> None:
        self._log = log
        self._source, self._inner = os.pipe()

    def run(self, argv: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> int:
        """Starts the command and takes what it prints until it ends; its status, 128 + n where signal n ended it.

        Signals that would end this process go on to the command. Raises OSError where it cannot be started.
        """
        process = subprocess.Popen(  # noqa: S603  a launcher's arguments, or the person's own commands
            list(argv), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=self._inner,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: process.send_signal(got))
        handle = os.pidfd_open(process.pid)
        try:
            while handle not in select.select([self._source, handle], [], [])[0]:
                self._take()
        finally:
            os.close(handle)
        self._drain(0.0)
        code = process.wait()
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """Takes what is printed last; whoever still holds the pipe is not waited for long."""
        os.close(self._inner)
        self._drain(DRAIN_S)
        os.close(self._source)

    def _drain(self, wait_s: float) -> None:
        deadline = time.monotonic() + DRAIN_S
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._source], [], [], min(left, wait_s))[0] or not self._take():
                return

    def _take(self) -> bool:
        """Takes a piece; False at the pipe's end."""
        piece = os.read(self._source, PIECE_BYTES)
        self._log.write(piece)
        return bool(piece)
