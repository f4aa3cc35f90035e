"""A ledger, of a sweep or a campaign, as it is read: one JSON object a line, each an event. Nothing here writes one.

Standard library only: who writes a ledger and who reports it read by the same rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workload.record.schema import SchemaError, check_version


@dataclass(frozen=True)
class LedgerContent:
    """The events in order, and a message for each line that is not an event."""

    events: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]


def read_ledger(path: Path) -> LedgerContent:
    """What the file holds; nothing if it does not exist. Text after the last newline is an incomplete line and ignored.

    Raises OSError.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return LedgerContent((), ())
    events, problems = [], []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_event(line, f"{path.name}, line {number}"))
        except SchemaError as error:
            problems.append(str(error))
    return LedgerContent(tuple(events), tuple(problems))


def _event(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{where} is no event: the ledger was changed") from error
    if not isinstance(document, dict):
        raise SchemaError(f"{where} is no event: the ledger was changed")
    check_version(document, where)
    if not isinstance(document.get("event"), str):
        raise SchemaError(f"{where} names no event: the ledger was changed")
    return document
