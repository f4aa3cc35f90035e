"""The sweep's ledger: an append-only file of what was planned, started, and how it ended; one JSON object a line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal
from workload.record.digest import canonical_json
from workload.record.ledger import read_ledger
from workload.record.schema import SCHEMA_VERSION


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
        found = read_ledger(self.path)
        if found.problems:
            raise Refusal(f"{self.path.parent}: {found.problems[0]}: start anew with --new")
        return list(found.events)

    def last(self, event: str) -> Mapping[str, Any] | None:
        """The newest event of that kind, None where there is none."""
        return next((item for item in reversed(self.events()) if item["event"] == event), None)


def drop_torn_line(file: int) -> None:
    """Cuts an open file back to its last newline: every whole line stays."""
    size = os.fstat(file).st_size
    keep = size
    while keep and os.pread(file, 1, keep - 1) != b"\n":
        keep -= 1
    if keep != size:
        os.ftruncate(file, keep)
