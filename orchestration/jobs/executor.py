"""Where jobs run: the Executor protocol, which this machine and the head of a cluster (over SSH) both follow.

A job is a folder on the operator's machine that holds job.json before the start. The executor creates a folder of the
same name where the launcher runs; log, measurement.json and exit.json appear there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, Protocol


class State(Enum):
    """The state of a job: never started, running, ended with an exit.json, or gone without one."""

    ABSENT = "absent"
    ALIVE = "alive"
    ENDED = "ended"
    GONE = "gone"


class HeadLostError(Exception):
    """The head of the cluster no longer answers; the message names it and says why."""

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
    """What was found on the nodes after a failed run, by their names in the inventory."""

    unreachable: Sequence[str] = ()
    oom_before: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    oom_after: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Lease(Protocol):
    """Which sweep may use a cluster at the moment. Every method may be called repeatedly."""

    def take(self, document: Mapping[str, Any], *dead: str) -> Mapping[str, Any] | None:
        """Takes the cluster for a sweep; returns the lease of another sweep where that holds.

        `dead`: the mark of a sweep whose `fab` is known to be dead. Raises OSError, HeadLostError.
        """
        ...

    def join(self, document: Mapping[str, Any]) -> None:
        """Tells the sweep that has the cluster that this one runs beside it, where any may."""
        return

    def joined(self) -> Sequence[object]:
        """The documents of all that told this sweep so, as they came: nothing of them is checked."""
        return ()

    def release(self, mark: str) -> None:
        """Gives a sweep's lease back. A head that does not answer is not waited for: the lease ends by itself."""
        ...


class Executor(Protocol):
    """Where jobs run. Every method raises HeadLostError within 30 s when the head stops answering."""

    @property
    def lease(self) -> Lease: ...

    @property
    def node(self) -> str:
        """The host name of the head, as in a record's `machines`."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """Host names and addresses of the nodes, each mapped to the node's name in the inventory."""
        ...

    @property
    def site(self) -> Site: ...

    def machines(self) -> list[dict[str, Any]]:
        """The description of each node, as in a record's `machines`, in the order of the inventory. Raises Refusal."""
        ...

    def descriptions(self) -> list[dict[str, Any] | str] | None:
        """The answer of each node to the checks, or why there is none; None if the only node is this machine."""
        ...

    def unreached_pairs(self) -> list[list[str] | str] | None:
        """For each node, the addresses of the others that it cannot log in to, or why it gave no answer.

        None where no node is to log in to another.
        """
        ...

    def ask(
        self, module: str, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> list[dict[str, Any] | str]:
        """The JSON object that a module of the workload prints on each node, in the inventory's order, or why none.

        `environment` is this machine's, where that is the only node; nodes apart from it have their own.
        """
        ...

    def provide(self, root: Path, digest: str) -> None:
        """Makes sure that every node has the workload of the project under `root`. Raises Refusal."""
        ...

    def bring(self, file: Path) -> PurePosixPath:
        """Makes sure that every node has the file; returns its path there. Raises OSError, Refusal."""
        ...

    def lost(self, nodes: int) -> list[str]:
        """Those of the first `nodes` nodes that stopped answering earlier and still do not answer."""
        ...

    def tokens(self) -> list[str]:
        """The tokens of the jobs whose folders are on a remote head; empty if it does not answer."""
        ...

    def folder(self, job: Path) -> PurePosixPath:
        """The job's folder as the head sees it."""
        ...

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder, detached. Raises OSError."""
        ...

    def state(self, job: Path) -> State:
        """The state of the job."""
        ...

    def restarted(self, job: Path) -> bool:
        """True if the job is gone because the head was rebooted while it ran."""
        ...

    def wait(self, job: Path, limit_s: float) -> State:
        """Waits until the job no longer runs, at most `limit_s` seconds; returns its state."""
        ...

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """The content of a file of the job, None if there is none. Raises ValueError if it is larger than the limit."""
        ...

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The last bytes of a file of the job; empty if there is none."""
        ...

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Copies a file of the job to `target`, whole or not at all. Raises OSError."""
        ...

    def stop(self, job: Path) -> None:
        """Ends the job through its supervisor, or by its token if the supervisor does not answer."""
        ...

    def end_leftovers(self, job: Path) -> Traces:
        """Ends every process that carries the job's token on any node and removes the folders that the job made.

        Raises Stopped where the cluster itself is gone for good: what became of the job says nothing of its run.
        """
        ...

    def clean(self, job: Path) -> None:
        """Removes the folder of a finished job, here and on the head. Raises OSError."""
        ...
