"""Files of a report: whole or not at all, their folders made on the way."""

from __future__ import annotations

from pathlib import Path

from workload.record import files


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes text (UTF-8, line ends as they are) or bytes. Raises OSError, leaving no part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, content)
