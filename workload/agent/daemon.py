"""Runs Open MPI's daemon on a node other than the head: mpirun starts this in the daemon's place.

`python -m workload.agent.daemon --token T --limit-s S --make FOLDER .. prted ARGUMENTS`. Makes the run's folders on
this node before; after, kills what carries the run's token and removes the folders, even if the head was lost, mpirun
was killed or this node was paused meanwhile. Keeps the node's out-of-memory counters from before the run in the first
folder, for `workload.agent.control end` to compare.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import psutil

from workload.agent.environment import daemon_environment
from workload.agent.supervise import GRACE_S, Signals, carriers, kill_carriers, make_private
from workload.instruments.cgroup import oom_kills
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION
from workload.record.token import check_token

COUNTERS = "counters.json"
MODULE = "workload.agent.daemon"
LOOK_S = 2.0
RETRANSMISSIONS = 5  # the interval doubles from 0.2 s: more than 6 s without an acknowledgement
KEEP_COUNTERS_S = 30.0  # the operator asks for them within seconds of a failure, if at all


def attend(argv: Sequence[str], folders: Sequence[Path], token: str, limit_s: float, *, ours: bool = True) -> int:
    """Runs the daemon and returns its exit status; `ours`: it is our own Open MPI's. Raises OSError, ValueError."""
    check_token(token)
    if strange := [str(folder) for folder in folders if not folder.name.endswith(token)]:
        raise ValueError(f"folders {strange} do not end in the run's token")
    signals, before = Signals(), oom_kills()
    _end_earlier(token)
    try:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            make_private(folder)
        write_json(folders[0] / COUNTERS, {"schema_version": SCHEMA_VERSION, "oom_kills": before})
        environment = daemon_environment(os.environ, PurePosixPath(sys.prefix)) if ours else dict(os.environ)
        status = _carry_through(argv, environment, signals, limit_s)
        kill_carriers(token)
        if oom_kills() != before:
            select.select([signals.read], [], [], KEEP_COUNTERS_S)
        return status
    finally:
        kill_carriers(token)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _end_earlier(token: str) -> None:
    """Ends the leftover of an earlier attempt of this run that lost its head: it would kill ours by the same token."""
    for process in carriers(token):
        with contextlib.suppress(psutil.Error):
            if MODULE in process.cmdline():
                for member in (process, *process.children(recursive=True)):
                    member.kill()
                process.wait(GRACE_S)


def _carry_through(argv: Sequence[str], environment: Mapping[str, str], signals: Signals, limit_s: float) -> int:
    """Starts the daemon and waits for its end, the time limit, a signal to this process, or a silent head."""
    process = subprocess.Popen(list(argv), env=dict(environment))  # noqa: S603  what mpirun would have started itself
    handle = os.pidfd_open(process.pid)
    deadline = time.monotonic() + limit_s
    ready: list[int] = []
    try:
        while not ready and (left := deadline - time.monotonic()) > 0 and not stalled(process.pid):
            ready = select.select([handle, signals.read], [], [], min(left, LOOK_S))[0]
        if handle not in ready:
            process.terminate()
            if not select.select([handle], [], [], GRACE_S)[0]:
                process.kill()
    finally:
        os.close(handle)
    code = process.wait()
    return code if code >= 0 else 128 - code


def stalled(pid: int) -> bool:
    """Whether the daemon has sent data to the head again and again without an acknowledgement.

    TCP keep-alive notices a silent head only while no data is unacknowledged; otherwise the kernel would retry for a
    quarter of an hour. Linux: the retransmissions in /proc/net/tcp of the sockets of the daemon and its forked copy.
    """
    try:
        daemon = psutil.Process(pid)
        copies = [daemon, *(child for child in daemon.children() if child.name() == daemon.name())]
        sockets = {link for copy in copies for link in _sockets(copy.pid)}
    except (psutil.Error, OSError):
        return False
    rows = [line.split() for table in ("tcp", "tcp6") for line in _lines(Path(f"/proc/{pid}/net/{table}"))]
    return any(len(row) > 9 and f"socket:[{row[9]}]" in sockets and int(row[6], 16) >= RETRANSMISSIONS for row in rows)


def _sockets(pid: int) -> list[str]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208  names alone
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))  # noqa: PTH115  a socket is no path
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()[1:]
    except OSError:
        return []


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workload.agent.daemon", description="Attends a node's daemon for one run.")
    parser.add_argument("--token", required=True)
    parser.add_argument("--limit-s", type=float, required=True)
    parser.add_argument("--environment", choices=("ours", "own"), default="ours")
    parser.add_argument("--make", type=Path, action="append", required=True)
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    return parser.parse_args(argv)


if __name__ == "__main__":
    given = _arguments(sys.argv[1:])
    # ssh, and what it calls to start this, have their own status from 125 on
    sys.exit(min(124, attend(given.argv, given.make, given.token, given.limit_s, ours=given.environment == "ours")))
