"""The Launcher protocol: it turns a placement, hosts and a command into argv and environment, and reads the log.

A launcher is pure: it runs nothing and reads no file. launchers/__init__.py is the register.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from orchestration.jobs.launchers.placement import NodeCpus, Placement


@dataclass(frozen=True)
class RemoteShell:
    """How the launcher starts its daemons on other nodes, each run by workload.agent.daemon: over ssh, or by srun.

    `slurm_job`: the job whose steps the daemons are, where srun starts them; `known_hosts` and `user` are for ssh.
    """

    known_hosts: PurePosixPath
    user: str
    workdir: PurePosixPath  # the same on every node
    token: str = ""  # of the job; without one the daemons are not attended
    make: Sequence[PurePosixPath] = ()  # folders that a daemon's attendant makes, and removes in the end
    limit_s: float = 0.0  # after which an attended daemon ends by itself
    slurm_job: int | None = None


@dataclass(frozen=True)
class Hosts:
    """The hosts on which ranks are started. Paths are those of the head."""

    python: PurePosixPath  # its folder holds the launcher's program
    cpus: NodeCpus
    transport: str = "auto"  # auto, tcp
    interface_subnet: str | None = None
    hostfile: PurePosixPath | None = None  # None: this machine alone
    shell: RemoteShell | None = None
    job: PurePosixPath | None = None  # the job's folder, where a command's scripts lie
    program: PurePosixPath | None = None  # the launcher's own; None: the one in the folder of `python`
    slots: Sequence[tuple[str, int]] = ()  # address and slots of each node that the job uses
    slurm_job: int | None = None  # whose allocation the nodes are


@dataclass(frozen=True)
class Scratch:
    """The job's own folders on every node."""

    session: PurePosixPath  # the launcher's session files; the path is short, because sockets lie in it
    shared_memory: PurePosixPath


@dataclass(frozen=True)
class Command:
    """What is to be executed on the head; `scripts` are programs that are to lie in the job's folder."""

    argv: list[str]
    environment: dict[str, str]  # on top of what the executor gives every job
    scripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KilledRank:
    """A rank that a signal ended; `node` is a host name, `rank` None if nothing names it."""

    rank: int | None
    node: str
    signal: int


@dataclass(frozen=True)
class LaunchEvidence:
    """What a launcher's exit status and log prove.

    `program` is what messages call the launcher. `not_started` says in words why no rank ran. `lost_daemon`: a node
    was lost, whatever the exit status says. `out_of_memory`: nodes on which it says that ranks were killed for memory.
    """

    program: str
    killed: KilledRank | None = None
    lost_daemon: bool = False
    lost_nodes: Sequence[str] = field(default=())
    not_started: str | None = None
    out_of_memory: Sequence[str] = ()


class Launcher(Protocol):
    """A program that starts ranks, for example Open MPI 5's mpirun.

    `pmi`: how ranks of its MPI find each other where Slurm's srun starts them, in srun's words.
    """

    pmi: str

    @property
    def name(self) -> str:
        """The name in LAUNCHERS."""
        ...

    @property
    def library(self) -> re.Pattern[str]:
        """What MPI_Get_library_version says of a library whose programs it can start; the group is the version."""
        ...

    @property
    def version(self) -> re.Pattern[str]:
        """What its program says where it is asked for its version; the group is that."""
        ...

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """The command that runs `program` on every rank."""
        ...

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """What ranks of its MPI are told by their environment where srun starts them in its place."""
        ...

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What exit status and log of the launcher prove; `log` is what it and the ranks printed."""
        ...
