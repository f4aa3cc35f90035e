"""Leases: a cluster belongs to one sweep at a time, since two at once would disturb each other's measurements.

A file in the head's folder of jobs names the sweep. The lease holds while a job of that sweep runs and HELD_S seconds
longer, so that it ends by itself after a killed `fab` but survives a dropped connection. Standard library only and
without imports of ours: before a push the operator sends this file's text to `python -c`.
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
HELD_S = 30.0  # enough for what happens between two runs of a sweep: records are fetched, pictures copied
JOBS = "jobs"


def holder(jobs: Path) -> dict[str, Any] | None:
    """The document of the lease that holds, None if none does."""
    try:
        document = json.loads((jobs / LEASE).read_text())
        fresh = time.time() - (jobs / LEASE).stat().st_mtime < HELD_S
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("sweep"), str):
        return None
    return document if fresh or _is_running(jobs, document["sweep"]) else None


def take(jobs: Path, document: dict[str, Any], dead: str = "") -> dict[str, Any] | None:
    """Takes the cluster for `document["sweep"]`; returns another sweep's lease if that holds. Raises OSError.

    `dead` is a sweep whose `fab` is known to be dead: its lease holds only while one of its jobs runs.
    """
    with _locked(jobs):
        other = holder(jobs)
        over = other is not None and other["sweep"] == dead and not _is_running(jobs, dead)
        if other is not None and other["sweep"] != document["sweep"] and not over:
            return other
        partial = jobs / f".{LEASE}.{os.getpid()}"
        partial.write_text(json.dumps(document))
        partial.replace(jobs / LEASE)
        return None


def use(jobs: Path, sweep: str) -> dict[str, Any] | None:
    """Renews the sweep's lease if it has one; returns another sweep's lease if that holds. Raises OSError."""
    with _locked(jobs):
        other = holder(jobs)
        if other is not None and other["sweep"] != sweep:
            return other
        if other is not None:
            os.utime(jobs / LEASE)
        return None


def release(jobs: Path, sweep: str) -> None:
    """Gives the sweep's lease back, if it has one. Raises OSError."""
    with _locked(jobs):
        other = holder(jobs)
        if other is not None and other["sweep"] == sweep:
            (jobs / LEASE).unlink()


@contextlib.contextmanager
def _locked(jobs: Path) -> Iterator[None]:
    jobs.mkdir(parents=True, exist_ok=True)
    with (jobs / f".{LEASE}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_running(jobs: Path, sweep: str) -> bool:
    """Whether the supervisor of one of the sweep's jobs runs."""
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
