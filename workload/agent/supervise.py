"""Supervises one mpirun on the node that starts it: `python -m workload.agent.supervise <job folder>`.

Runs detached from whoever asked for it, so that the run goes on, up to its own time limit, if the operator's connection
is lost. Reads job.json; first writes supervisor.json (the supervisor's process) and last exit.json (how the run ended).
Ends only processes that carry the job's token in their arguments. Knows nothing of what is run.
"""

from __future__ import annotations

import datetime
import errno
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from workload.instruments.cgroup import oom_kills
from workload.record.files import read_json, write_json
from workload.record.schema import SCHEMA_VERSION
from workload.record.token import check_token

JOB = "job.json"
SUPERVISOR = "supervisor.json"
EXIT = "exit.json"
RUN = "run.json"
RESERVE = "reserve"  # a file in the job's folder, removed so that exit.json can be written on a full disk
RESERVE_BYTES = 2**16
TOKEN_VARIABLE = "CONVSCALE_TOKEN"  # noqa: S105  what a person's program and whatever it starts carry instead
EXPENDABLE = "500"  # of 1000, added to what the kernel weighs when it must kill for memory
GRACE_S = 5.0  # between SIGTERM and SIGKILL: mpirun needs up to one second to end every rank


@dataclass(frozen=True)
class Job:
    """What to start. The folders `make` are made before and removed after."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: str
    timeout_s: float
    token: str
    log: str
    make: Sequence[str]

    @classmethod
    def read(cls, folder: Path) -> Job:
        """The job of a folder's job.json. Raises OSError, KeyError for a missing key, ValueError for a bad token."""
        document = read_json(folder / JOB)
        job = cls(**{name: document[name] for name in cls.__dataclass_fields__})
        check_token(job.token)
        if strange := [name for name in job.make if not name.endswith(job.token)]:
            raise ValueError(f"{folder / JOB}: make = {strange} does not end in the job's token")
        return job


@dataclass
class ProgramExit:
    """How mpirun ended. `exit_status` is None if it could not be started, 128 + n if signal n ended it."""

    exit_status: int | None = None
    error: str | None = None
    timed_out: bool = False
    interrupted: bool = False


class Signals:
    """Lets `select` wake up, without a race, at SIGTERM, SIGINT and SIGHUP: they make `read` readable."""

    def __init__(self) -> None:
        self.read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN, which mpirun would inherit


def supervise(folder: Path) -> None:
    """Carries out the job in the folder. Raises as `Job.read` does, and OSError if its end cannot be written."""
    signals = Signals()
    job = Job.read(folder)
    write_json(folder / SUPERVISOR, identity(psutil.Process()))
    started, before = utc_now(), oom_kills()
    ending = ProgramExit()
    try:
        for name in job.make:
            make_private(Path(name))
        with Path(job.log).open("wb") as log:
            _carry_through(job, signals, log, ending)
    except OSError as error:
        ending.error = f"{error.strerror or error}: {error.filename}"
    finally:
        kill_carriers(job.token)
        for name in job.make:
            shutil.rmtree(name, ignore_errors=True)
    ending.error = ending.error or _free_reserve(folder / RESERVE)
    document = {
        "schema_version": SCHEMA_VERSION,
        "token": job.token,
        "exit_status": ending.exit_status,
        "error": ending.error,
        "timed_out": ending.timed_out,
        "interrupted": ending.interrupted,
        "started_utc": started,
        "ended_utc": utc_now(),
        "oom_before": before,
        "oom_after": oom_kills(),
    }
    write_json(folder / EXIT, document)


def _free_reserve(reserve: Path) -> str | None:
    """Removes the reserve, if there is one; returns an error message if the disk was full without it."""
    if not reserve.exists():
        return None
    free = shutil.disk_usage(reserve.parent).free
    reserve.unlink()
    return f"{os.strerror(errno.ENOSPC)}: {reserve.parent}" if free < RESERVE_BYTES else None


def _carry_through(job: Job, signals: Signals, log: IO[bytes], ending: ProgramExit) -> None:
    """Starts mpirun in a session of its own and waits for its end, its time limit, or a signal to this process."""
    process = subprocess.Popen(  # noqa: S603  a list of arguments that the operator's side built
        list(job.argv),
        env=job.env,
        cwd=job.cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _make_expendable(process.pid)
    handle = os.pidfd_open(process.pid)
    try:
        ready = select.select([handle, signals.read], [], [], job.timeout_s)[0]
        if handle not in ready:
            ending.interrupted = signals.read in ready
            ending.timed_out = not ending.interrupted
            process.terminate()
            if not select.select([handle], [], [], GRACE_S)[0]:
                process.kill()
    finally:
        os.close(handle)
    code = process.wait()
    ending.exit_status = code if code >= 0 else 128 - code


def _make_expendable(pid: int) -> None:
    """Has the kernel kill the ranks for memory before `fab` and this supervisor, which say what happened to them.

    What the process starts on this node inherits it.
    """
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text(EXPENDABLE)
    except OSError:  # it has ended, or this machine does not let us
        return


def carries(arguments: Sequence[str], token: str) -> bool:
    """Whether these are arguments of the job's mpirun, daemons, ranks or supervisor; reading its log does not count."""
    return any(argument.endswith((token, f"{token}/{RUN}")) for argument in arguments)


def kill_carriers(token: str) -> list[int]:
    """Kills this user's processes on this node that carry the token, except this one; returns their ids."""
    check_token(token)
    killed: list[psutil.Process] = []
    deadline = time.monotonic() + GRACE_S
    while found := carriers(token):
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        killed += found
        psutil.wait_procs(found, timeout=0.5)
        if time.monotonic() > deadline:  # stuck in a system call: it ends when it returns
            break
    return sorted({process.pid for process in killed})


def end_leftovers(folder: Path) -> None:
    """Kills what carries the token of the job in the folder, and removes the folders that the job made."""
    kill_carriers(folder.name)
    try:
        made = Job.read(folder).make
    except (OSError, ValueError, KeyError):
        return
    for name in made:
        shutil.rmtree(name, ignore_errors=True)


def carriers(token: str) -> list[psutil.Process]:
    """This user's processes on this node that carry the token, except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.uids().real != os.getuid():
                continue
            marked = carries(process.cmdline(), token) or process.environ().get(TOKEN_VARIABLE) == token
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile
    return found


def identity(process: psutil.Process) -> dict[str, Any]:
    """What distinguishes this process from any other that has or had its id."""
    return {
        "schema_version": SCHEMA_VERSION,
        "pid": process.pid,
        "create_time": process.create_time(),
        "boot_id": boot_id(),
        "init_started": init_started(),
    }


def lives(who: dict[str, Any]) -> bool:
    """Whether the process of that identity still runs on this node."""
    if who.get("boot_id") != boot_id():
        return False
    try:
        process = psutil.Process(who["pid"])
        return bool(process.create_time() == who["create_time"] and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def restarted(who: dict[str, Any]) -> bool:
    """Whether this node, or the container that it is, was started again since the process of that identity ran."""
    return (who.get("boot_id"), who.get("init_started")) != (boot_id(), init_started())


def init_started() -> int:
    """When process 1 started, in clock ticks since boot: a restarted container keeps its host's boot id."""
    return int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def make_private(folder: Path) -> None:
    """Makes the folder and its parent, for this user alone. Raises OSError if one of them is somebody else's."""
    for path in (folder.parent, folder):
        if path == Path("/dev/shm"):  # noqa: S108  the system's own folder, shared by all
            continue
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise PermissionError(errno.EACCES, "belongs to somebody else, so a run cannot put files there", str(path))
        path.chmod(0o700)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]).absolute())
