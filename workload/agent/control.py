"""What the operator asks of a node about jobs: `python -m workload.agent.control VERB ...` over SSH.

    start FOLDER LIMIT_S    makes the job's folder of the files given as JSON on standard input, starts it, watches it
    watch FOLDER LIMIT_S    prints a blank line every second while the job runs, then its state and files
    state FOLDER            the same answer at once
    stop FOLDER             ends the job through its supervisor
    end FOLDER ..           kills what carries the folders' token, removes the folders; answers with the memory counters
    take JOBS [DEAD]        takes the cluster for the lease given on standard input; answers with another's that holds
    release JOBS SWEEP      gives the cluster back

Answers with one JSON object on a line. The connection may be lost at any moment, so every verb may be repeated. A
folder is given with a slash at its end: an argument that ends in a job's token marks a process of the job.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from workload.agent import lease, supervise
from workload.agent.daemon import COUNTERS
from workload.instruments.cgroup import oom_kills
from workload.record.digest import file_digest
from workload.record.files import read_json
from workload.record.schema import SchemaError
from workload.record.token import check_token, sweep_of, token_at_end

ABSENT, ALIVE, ENDED, GONE = "absent", "alive", "ended", "gone"
BEAT_S = 1.0
STOP_S = 3 * supervise.GRACE_S
STARTING_S = 10.0  # within this a supervisor has written its file


def start(folder: Path, files: dict[str, str], folders: list[str]) -> None:
    """Makes the job's folder, whole, and starts its supervisor. Does nothing if the folder exists.

    Raises OSError, also if another sweep has the cluster.
    """
    if folder.exists():
        return
    if (other := lease.use(folder.parent, sweep_of(folder.name))) is not None:
        raise OSError(errno.EBUSY, f"the cluster is in use by the sweep in {other.get('folder')}", str(folder.parent))
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, text in files.items():
            (partial / name).write_text(text, encoding="utf-8")
            (partial / name).chmod(0o700 if text.startswith("#!") else 0o600)
        for name in folders:
            (partial / name).mkdir()
        (partial / supervise.RESERVE).write_bytes(b"\1" * supervise.RESERVE_BYTES)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    with (folder / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-E", "-s", "-m", "workload.agent.supervise", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + STARTING_S
    while not (folder / supervise.SUPERVISOR).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def state(folder: Path) -> str:
    """What became of the job: never started, running, ended with an exit.json, or gone without one."""
    who = _identity(folder)
    living = who is not None and supervise.lives(who)
    # looked at before the file, which the supervisor writes just before it ends
    if (folder / supervise.EXIT).exists():
        return ENDED
    if living:
        return ALIVE
    return GONE if folder.exists() else ABSENT


def answer(folder: Path) -> dict[str, Any]:
    """The job's state; if it is over, size and SHA-256 of each regular file in its folder.

    `restarted` is true if the job is gone because the node was restarted.
    """
    now = state(folder)
    who = _identity(folder)
    restarted = now == GONE and who is not None and supervise.restarted(who)
    return {"state": now, "restarted": restarted, "files": _digests(folder) if now in (ENDED, GONE) else {}}


def watch(folder: Path, limit_s: float) -> dict[str, Any]:
    """Waits until the job is over; prints a blank line every second, so that a lost connection is noticed."""
    deadline = time.monotonic() + limit_s
    beat = 0.0
    while state(folder) == ALIVE and time.monotonic() < deadline:
        if time.monotonic() >= beat:
            print(flush=True)
            beat = time.monotonic() + BEAT_S
        time.sleep(0.05)
    with contextlib.suppress(OSError):
        lease.use(folder.parent, sweep_of(folder.name))
    return answer(folder)


def stop(folder: Path) -> dict[str, Any]:
    """Ends the job through its supervisor, and by its token if the supervisor does not answer."""
    who = _identity(folder)
    if who is not None and supervise.lives(who):
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            psutil.Process(who["pid"]).send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while supervise.lives(who) and time.monotonic() < deadline:
            time.sleep(0.05)
    supervise.kill_carriers(folder.name)
    return answer(folder)


def end(folders: list[Path]) -> dict[str, Any]:
    """Kills what carries the folders' token and removes the folders; returns the counters before and after the run."""
    token = token_at_end(folders[0].name)
    if token is None:
        raise ValueError(f"{folders[0]} does not end in a token")
    before: dict[str, int] = {}
    with contextlib.suppress(OSError, SchemaError, KeyError):
        before = read_json(folders[0] / COUNTERS)["oom_kills"]
    killed = supervise.kill_carriers(token)
    for folder in folders:
        if folder.name.endswith(token):
            shutil.rmtree(folder, ignore_errors=True)
    after = oom_kills()
    return {"node": socket.gethostname(), "killed": len(killed), "oom_before": before, "oom_after": after}


def _identity(folder: Path) -> dict[str, Any] | None:
    try:
        who = read_json(folder / supervise.SUPERVISOR)
    except (OSError, SchemaError):
        return None
    return who if isinstance(who.get("pid"), int) else None


def _digests(folder: Path) -> dict[str, list[int | str]]:
    found: dict[str, list[int | str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_file() and not path.is_symlink():
            found[path.name] = [path.stat().st_size, file_digest(path)]
    return found


def main(argv: list[str]) -> dict[str, Any]:
    """Carries out the verb and returns its answer. Raises OSError, ValueError."""
    verb, subject, *rest = argv
    folder = Path(subject)
    if verb == "end":
        return end([folder, *map(Path, rest)])
    if verb == "take":
        return {"other": lease.take(folder, json.load(sys.stdin), *rest)}
    if verb == "release":
        lease.release(folder, rest[0])
        return {}
    check_token(folder.name)
    if verb == "start":
        document = json.load(sys.stdin)
        start(folder, document["files"], document["folders"])
        print(flush=True)
    if verb in ("start", "watch"):
        return watch(folder, float(rest[0]))
    return stop(folder) if verb == "stop" else answer(folder)


if __name__ == "__main__":
    try:
        print(json.dumps(main(sys.argv[1:])), flush=True)
    except OSError as error:
        print(json.dumps({"error": [error.errno, error.strerror or str(error), str(error.filename or "")]}), flush=True)
        sys.exit(1)
