"""The report of mpiP, a profiler of MPI time that a program may be linked with (the paper's tool).

Its text form, version 3: one file, `*.mpiP`, that rank 0 writes into its folder. Standard library only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LARGEST_BYTES = 64 * 2**20
_TASK = re.compile(r"^\s*(\d+|\*)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s+[\d.eE+-]+\s*$")
_SECTION = re.compile(r"^@---\s*(.+?)\s*-*$")
# Name  Site  Rank  Count  Max  Mean  Min  App%  MPI%   (milliseconds)
_CALL = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s")
# Name  Site  Rank  Count  Max  Mean  Min  Sum           (bytes)
_SENT = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s+([\d.eE+-]+)\s*$")


def find_report(folder: Path) -> str | None:
    """The text of the newest report in a run's folder; None where there is none."""
    try:
        found = [path for path in folder.glob("*.mpiP") if path.is_file() and not path.is_symlink()]
        newest = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is None or newest.stat().st_size > LARGEST_BYTES:
            return None
        return newest.read_text(errors="replace")
    except OSError:
        return None


def parse_report(text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Seconds of each rank, in all and inside MPI; and each rank's calls by name, with count, bytes and seconds."""
    section = ""
    times: list[dict[str, Any]] = []
    calls: dict[tuple[int, str], dict[str, Any]] = {}
    for line in text.splitlines():
        if found := _SECTION.match(line):
            section = found[1]
        elif section.startswith("MPI Time") and (found := _TASK.match(line)) and found[1] != "*":
            times.append({"rank": int(found[1]), "app_s": float(found[2]), "mpi_s": float(found[3])})
        elif section.startswith("Callsite Time statistics") and (found := _CALL.match(line)):
            entry = _entry(calls, int(found[3]), found[1])
            entry["count"] += int(found[4])
            entry["time_s"] += int(found[4]) * float(found[6]) / 1e3
        elif section.startswith("Callsite Message Sent statistics") and (found := _SENT.match(line)):
            _entry(calls, int(found[3]), found[1])["bytes"] += round(float(found[8]))
    return times, list(calls.values())


def _entry(calls: dict[tuple[int, str], dict[str, Any]], rank: int, call: str) -> dict[str, Any]:
    return calls.setdefault((rank, call), {"rank": rank, "call": call, "count": 0, "bytes": 0, "time_s": 0.0})
