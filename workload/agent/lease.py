"""Whose a cluster is for now: one sweep's at a time, for two at once would measure each other.

A file in the head's folder of jobs names the sweep. It holds while a job of that sweep is at work and HELD_S seconds
longer: what a killed `fab` left lets go by itself, a dropped connection gives nothing away.
Standard library only, and a file of its own: before a push the operator sends its text to `python -c`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEASE = "lease.json"
HELD_S = 30.0  # between two runs of a sweep: records are fetched, pictures brought
JOBS = "jobs"


def holder(jobs: Path) -> dict[str, Any] | None:
    """The lease that holds, as it was taken; None where none does."""
    try:
        document = json.loads((jobs / LEASE).read_text())
        fresh = time.time() - (jobs / LEASE).stat().st_mtime < HELD_S
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("sweep"), str):
        return None
    return document if fresh or _at_work(jobs, document["sweep"]) else None


def take(jobs: Path, document: dict[str, Any], dead: str = "") -> dict[str, Any] | None:
    """Takes the cluster for `document["sweep"]`; the lease of another sweep where that holds. Raises OSError.

    `dead` is a sweep whose `fab` is known to be dead: its lease holds while a job of it is at work, and no longer.
    """
    with _alone(jobs):
        other = holder(jobs)
        over = other is not None and other["sweep"] == dead and not _at_work(jobs, dead)
        if other is not None and other["sweep"] != document["sweep"] and not over:
            return other
        partial = jobs / f".{LEASE}.{os.getpid()}"
        partial.write_text(json.dumps(document))
        partial.replace(jobs / LEASE)
        return None


def use(jobs: Path, sweep: str) -> dict[str, Any] | None:
    """Makes the sweep's lease hold on, where it has one; another sweep's lease, where that holds. Raises OSError."""
    with _alone(jobs):
        other = holder(jobs)
        if other is not None and other["sweep"] != sweep:
            return other
        if other is not None:
            os.utime(jobs / LEASE)
        return None


def release(jobs: Path, sweep: str) -> None:
    """Gives the sweep's lease back; nothing where it has none. Raises OSError."""
    with _alone(jobs):
        other = holder(jobs)
        if other is not None and other["sweep"] == sweep:
            (jobs / LEASE).unlink()


@contextlib.contextmanager
def _alone(jobs: Path) -> Iterator[None]:
    jobs.mkdir(parents=True, exist_ok=True)
    with (jobs / f".{LEASE}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _at_work(jobs: Path, sweep: str) -> bool:
    """True where the supervisor of one of the sweep's jobs lives."""
    for job in jobs.glob(f"*-{sweep}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            pid = int(json.loads((job / "supervisor.json").read_text())["pid"])
            if job.name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


if __name__ == "__main__":
    workdir = Path(sys.argv[1])
    link = workdir / "workload"
    release_name = link.readlink().name if link.is_symlink() else None
    print(json.dumps({"holder": holder(workdir / JOBS), "release": release_name}))
