"""The sweep's ledger: an append-only file of what was planned, started, and how it ended; one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal
from workload.record.digest import canonical_json
from workload.record.schema import SCHEMA_VERSION, SchemaError, check_version


class Ledger:
    """Appends events to the file; whoever appends holds the sweep's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, utc: str, **values: Any) -> None:
        """Adds a line and syncs it, after dropping a torn one that a killed process left. Raises OSError."""
        line = canonical_json({"schema_version": SCHEMA_VERSION, "event": event, "utc": utc, **values}) + "\n"
        with self.path.open("ab+") as file:
            drop_torn_line(file.fileno())
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> list[Mapping[str, Any]]:
        """All whole lines. Raises Refusal where a line other than a torn last one is no event of ours."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def last(self, event: str) -> Mapping[str, Any] | None:
        """The newest event of that kind, None where there is none."""
        return next((item for item in reversed(self.events()) if item["event"] == event), None)

    def _parse(self, number: int, line: bytes) -> Mapping[str, Any]:
        where = f"{self.path}, line {number}"
        try:
            document = json.loads(line)
            check_version(document, where)
        except SchemaError as error:
            raise Refusal(str(error)) from error
        except (ValueError, AttributeError) as error:
            raise Refusal(f"{where} is no event of a sweep: the ledger was changed; start anew with --new") from error
        if not isinstance(document.get("event"), str):
            raise Refusal(f"{where} names no event: the ledger was changed; start anew with --new")
        return dict(document)


def drop_torn_line(file: int) -> None:
    """Cuts an open file back to its last newline: every whole line stays."""
    size = os.fstat(file).st_size
    keep = size
    while keep and os.pread(file, 1, keep - 1) != b"\n":
        keep -= 1
    if keep != size:
        os.ftruncate(file, keep)
