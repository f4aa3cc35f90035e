"""Where jobs run: the Executor that this machine (local.py) and a cluster's head over SSH (remote/) both are.

A job is a folder on the operator's side, in which job.json lies before it starts. The executor makes of it a folder
of the same name where the launcher runs; log, measurement.json and exit.json appear there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, Protocol


class State(Enum):
    """What became of a job: never started, at work, ended with an exit.json, or gone without one."""

    ABSENT = "absent"
    ALIVE = "alive"
    ENDED = "ended"
    GONE = "gone"


class HeadLostError(Exception):
    """The head no longer answers; the message names it and says why."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f"{node} no longer answers ({why})")
        self.node = node


@dataclass(frozen=True)
class Site:
    """What the paths and the command of a job depend on, as the head sees it."""

    uid: int
    temporary: PurePosixPath
    environment: Mapping[str, str]
    hosts: Sequence[str] = ()  # the nodes' addresses as a hostfile takes them; none: this machine alone
    known_hosts: str = ""  # the nodes' pinned keys, as OpenSSH reads them


@dataclass(frozen=True)
class Traces:
    """What a failed run left on the nodes, by the inventory's names: who does not answer, whom the kernel killed."""

    unreachable: Sequence[str] = ()
    oom_before: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    oom_after: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Lease(Protocol):
    """Whose a cluster is for now. Both methods may be called again."""

    def take(self, document: Mapping[str, Any], *dead: str) -> Mapping[str, Any] | None:
        """Takes the cluster for a sweep; returns the lease of another sweep where that holds.

        `dead`: the mark of a sweep whose `fab` is known to be dead. Raises OSError, HeadLostError.
        """
        ...

    def release(self, mark: str) -> None:
        """Gives a sweep's lease back. A head that does not answer is not waited for: the lease ends by itself."""
        ...


class Executor(Protocol):
    """Every method raises HeadLostError where the head no longer answers, at the latest 30 s after it fell silent."""

    @property
    def lease(self) -> Lease: ...

    @property
    def node(self) -> str:
        """The name that the head gives itself in a record's `machines`."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """Each node's own name, and its address, to the inventory's name of it."""
        ...

    @property
    def site(self) -> Site: ...

    def machines(self) -> list[dict[str, Any]]:
        """What each node says of itself, as in a record's `machines`, in the inventory's order. Raises Refusal."""
        ...

    def descriptions(self) -> list[dict[str, Any] | str] | None:
        """What each node says for the checks, or why it says nothing; None where the only node is this machine."""
        ...

    def unreached_pairs(self) -> list[list[str] | str]:
        """For each node the addresses of other nodes that it does not reach, or why it could not say."""
        ...

    def provide(self, root: Path, digest: str) -> None:
        """Makes the workload of the project under `root` lie on every node. Raises Refusal."""
        ...

    def bring(self, file: Path) -> PurePosixPath:
        """Makes a file lie on every node; returns its path there. Raises OSError, Refusal."""
        ...

    def lost(self, nodes: int) -> list[str]:
        """Which of the first `nodes` nodes fell silent earlier and do not answer now either."""
        ...

    def tokens(self) -> list[str]:
        """The tokens of the jobs that lie on a head apart from this machine; none where it does not answer."""
        ...

    def folder(self, job: Path) -> PurePosixPath:
        """The job's folder as the head sees it."""
        ...

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder, detached. Raises OSError."""
        ...

    def state(self, job: Path) -> State:
        """What became of the job."""
        ...

    def restarted(self, job: Path) -> bool:
        """True where the job is gone because the head was started again under it."""
        ...

    def wait(self, job: Path, limit_s: float) -> State:
        """Waits until the job is no longer at work, at most `limit_s` seconds; returns what became of it."""
        ...

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """A file of the job, None where there is none. Raises ValueError where it is larger than the limit."""
        ...

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The end of a file of the job; nothing where there is none."""
        ...

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Brings a whole file of the job to `target`, where it appears whole or not at all. Raises OSError."""
        ...

    def stop(self, job: Path) -> None:
        """Ends the job: through its supervisor, and by its token where that does not answer."""
        ...

    def end_leftovers(self, job: Path) -> Traces:
        """Ends what still carries the job's token on any node and removes the folders that it made."""
        ...

    def clean(self, job: Path) -> None:
        """Removes the folder of a job that is over, here and on the head. Raises OSError."""
        ...
