"""Writes the files of a report, atomically, creating their folders."""

from __future__ import annotations

from pathlib import Path

from workload.record import files


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes text (UTF-8, line ends unchanged) or bytes. Raises OSError and then leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, content)
