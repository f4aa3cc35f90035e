"""Attends Open MPI's daemon on a node that is not the head: mpirun starts it there in the daemon's place.

`python -m workload.daemon --token T --limit-s S --make FOLDER .. prted ARGUMENTS`. Makes the run's own folders on
this node before, and ends what carries the run's token and removes the folders after: also where the head was
lost, mpirun was killed, or this node was paused meanwhile. Leaves the node's out-of-memory counters of before
the run in the first folder, for `workload.control end` to compare.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workload.record import SCHEMA_VERSION, write_json
from workload.supervise import GRACE_S, Signals, check_token, kill_carriers, make_private, oom_kills

COUNTERS = "counters.json"
KEEP_COUNTERS_S = 30.0  # the operator asks for them within seconds of a failure, if at all


def attend(argv: Sequence[str], folders: Sequence[Path], token: str, limit_s: float) -> int:
    """Carries the daemon through; returns its exit status. Raises OSError, ValueError."""
    check_token(token)
    if strange := [str(folder) for folder in folders if not folder.name.endswith(token)]:
        raise ValueError(f"folders {strange} do not end in the run's token")
    signals, before = Signals(), oom_kills()
    try:
        for folder in folders:
            make_private(folder)
        write_json(folders[0] / COUNTERS, {"schema_version": SCHEMA_VERSION, "oom_kills": before})
        status = _carry_through(argv, signals, limit_s)
        kill_carriers(token)
        if oom_kills() != before:
            select.select([signals.read], [], [], KEEP_COUNTERS_S)
        return status
    finally:
        kill_carriers(token)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _carry_through(argv: Sequence[str], signals: Signals, limit_s: float) -> int:
    """Starts the daemon and waits: for its end, the limit, or a signal to us."""
    process = subprocess.Popen(list(argv))  # noqa: S603  what mpirun would have started itself
    handle = os.pidfd_open(process.pid)
    try:
        if handle not in select.select([handle, signals.read], [], [], limit_s)[0]:
            process.terminate()
            if not select.select([handle], [], [], GRACE_S)[0]:
                process.kill()
    finally:
        os.close(handle)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workload.daemon", description="Attends a node's daemon for one run.")
    parser.add_argument("--token", required=True)
    parser.add_argument("--limit-s", type=float, required=True)
    parser.add_argument("--make", type=Path, action="append", required=True)
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    return parser.parse_args(argv)


if __name__ == "__main__":
    given = _arguments(sys.argv[1:])
    sys.exit(attend(given.argv, given.make, given.token, given.limit_s))
