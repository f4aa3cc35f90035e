"""Jobs on this machine. A job runs in its folder on the operator's side; nothing is copied."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import psutil

from orchestration.errors import Refusal
from orchestration.executors.machine_lease import MACHINE_LOCK, MachineLease
from orchestration.jobs.executor import Lease, Site, State, Traces
from orchestration.python import isolated
from workload.agent import supervise
from workload.record.files import read_json
from workload.record.schema import SchemaError

STOP_S = 3 * supervise.GRACE_S


@dataclass
class LocalExecutor:
    """Jobs on this machine; `root` holds workload/, `python` has mpirun beside it."""

    root: Path
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)  # what jobs are started with
    lock: Path = MACHINE_LOCK

    def __post_init__(self) -> None:
        self.lease: Lease = MachineLease(self.lock)
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._machine: dict[str, Any] | None = None

    @property
    def node(self) -> str:
        """The host name, as in a record's `machines`."""
        return socket.gethostname()

    @property
    def names(self) -> Mapping[str, str]:
        return {}

    @property
    def site(self) -> Site:
        temporary = PurePosixPath(tempfile.gettempdir())
        return Site(uid=os.getuid(), temporary=temporary, environment=self.environment)

    def folder(self, job: Path) -> PurePosixPath:
        """The job's folder."""
        return PurePosixPath(job)

    def provide(self, root: Path, digest: str) -> None:
        """The workload is the project's own."""

    def bring(self, file: Path) -> PurePosixPath:
        """The file is here already."""
        return PurePosixPath(file)

    def lost(self, nodes: int) -> list[str]:
        """This machine is never lost."""
        return []

    def descriptions(self) -> list[dict[str, Any] | str] | None:
        """None: the checks look at this machine themselves."""
        return None

    def unreached_pairs(self) -> list[list[str] | str] | None:
        """There is no other node."""
        return []

    def tokens(self) -> list[str]:
        """There is no head apart from this machine."""
        return []

    def machines(self) -> list[dict[str, Any]]:
        """The description of this machine, as in a record's `machines`, asked for once. Raises Refusal."""
        if self._machine is None:
            self._machine = self._describe()
        return [self._machine]

    def _describe(self) -> dict[str, Any]:
        """Asks a process of its own. Raises Refusal."""
        done = subprocess.run(  # noqa: S603  our own interpreter
            isolated(self.python, "-m", "workload.instruments.machine"),
            cwd=self.root,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        try:
            return dict(json.loads(done.stdout))
        except ValueError as error:
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise Refusal(
                f"{self.python} -m workload.instruments.machine fails here ({last}): install the project again"
            ) from error

    def ask(
        self, module: str, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> list[dict[str, Any] | str]:
        """The JSON object that a module of the workload prints here, or why it prints none."""
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter
                isolated(self.python, "-m", module, *words),
                cwd=self.root,
                env=dict(self.environment if environment is None else environment),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            return [dict(json.loads(done.stdout))]
        except subprocess.TimeoutExpired:
            return ["it gave no answer within 120 s"]
        except (ValueError, TypeError):
            return [(done.stderr.strip().splitlines() or ["it printed nothing"])[-1]]

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder, detached. Raises OSError."""
        with (job / "supervisor.log").open("wb") as log:
            self._children[job] = subprocess.Popen(  # noqa: S603  our own interpreter
                isolated(self.python, "-m", "workload.agent.supervise", str(job)),
                cwd=self.root,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def state(self, job: Path) -> State:
        """The state of the job."""
        child = self._children.get(job)
        living = child.poll() is None if child is not None else self._supervised(job)
        # asked before the file is looked for: the supervisor writes it just before it ends
        if (job / supervise.EXIT).exists():
            return State.ENDED
        if living:
            return State.ALIVE
        return State.GONE if job.exists() else State.ABSENT

    def restarted(self, job: Path) -> bool:
        """False: after a reboot there would be nobody to ask."""
        return False

    def wait(self, job: Path, limit_s: float) -> State:
        """Waits until the job no longer runs, at most `limit_s` seconds; returns its state."""
        deadline = time.monotonic() + limit_s
        while (state := self.state(job)) is State.ALIVE and time.monotonic() < deadline:
            time.sleep(0.05)
        return state

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """The content of a file of the job, None if there is none. Raises ValueError if it is larger than the limit."""
        path = job / name
        try:
            size = path.stat().st_size
            if size > limit_bytes:
                raise ValueError(f"{name} has {size} bytes, more than the {limit_bytes} that are taken")
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The last bytes of a file of the job; empty if there is none."""
        try:
            with (job / name).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - limit_bytes))
                return file.read()
        except FileNotFoundError:
            return b""

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Copies a file of the job to `target`, whole or not at all. Raises OSError."""
        partial = target.with_name(f".{target.name}.partial")
        try:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(job / name, partial)
                partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def stop(self, job: Path) -> None:
        """Ends the job through its supervisor, or by its token if the supervisor does not answer."""
        who = self._identity(job)
        child = self._children.get(job)
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if child is not None:
                child.send_signal(signal.SIGTERM)
            elif who is not None and supervise.lives(who):
                psutil.Process(who["pid"]).send_signal(signal.SIGTERM)
        self.wait(job, STOP_S)
        self.end_leftovers(job)

    def end_leftovers(self, job: Path) -> Traces:
        """Ends what still carries the job's token and removes the folders that it made."""
        supervise.end_leftovers(job)
        child = self._children.pop(job, None)
        if child is not None:
            child.wait()
        return Traces()

    def clean(self, job: Path) -> None:
        """Removes the folder of a job that is over. Raises OSError."""
        child = self._children.pop(job, None)
        if child is not None:
            child.wait()
        if job.exists():
            shutil.rmtree(job)

    def _supervised(self, job: Path) -> bool:
        who = self._identity(job)
        return who is not None and supervise.lives(who)

    def _identity(self, job: Path) -> dict[str, Any] | None:
        try:
            who = read_json(job / supervise.SUPERVISOR)
        except (OSError, SchemaError):
            return None
        return who if isinstance(who.get("pid"), int) else None
