"""Slurm's srun in the place of an MPI's own launcher. Every flag here was tried with Slurm 22.05."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, Launcher, LaunchEvidence, Scratch
from orchestration.jobs.launchers.placement import Placement
from orchestration.jobs.launchers.ssh_daemons import not_started

NAME = "srun"
RANKS, PROLOG, EPILOG = "ranks-by-node", "make-folder", "remove-folder"
# of each rank on its node, whatever ends it: the last takes the folder along
MAKE = "#!/bin/sh\nmkdir -p -m 700 {folder}\nmkdir -p {folder}/.ranks/$SLURM_PROCID\n"
REMOVE = (
    "#!/bin/sh\nrmdir {folder}/.ranks/$SLURM_PROCID\nrmdir {folder}/.ranks 2>/dev/null && rm -rf {folder}\nexit 0\n"
)
CPU_BIND = {"none": "none", "core": "cores", "hwthread": "threads"}

_ENDED = re.compile(r"^srun: error: (\S+): tasks? (\S+): (.+?)(?: \(core dumped\))?$", re.M)
_MEMORY = "Out Of Memory"
_SIGNALS = {
    "Killed": 9,
    _MEMORY: 9,
    "Segmentation fault": 11,
    "Aborted": 6,
    "Bus error": 7,
    "Floating point exception": 8,
    "Illegal instruction": 4,
    "Terminated": 15,
}
_LOST_NODE = re.compile(r"^srun: error: Node failure on (\S+)", re.M)
_LOST = ("DUE TO NODE FAILURE", "Node failure on")
_NOT_STARTED = (
    "Unable to create step",
    "Unable to confirm allocation",
    "Task launch for",
    "Application launch failed",
    "error: execve()",
    "Invalid MPI type",
    "More processors requested than permitted",
)


class Srun:
    """srun, which starts the ranks of the MPI whose own launcher `of` is."""

    name = NAME

    def __init__(self, of: Launcher) -> None:
        self.of = of
        self.pmi, self.library, self.version = of.pmi, of.library, of.version

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """srun's argument list, environment, and scripts: each rank's node, and what makes and removes a folder."""
        job = hosts.job or PurePosixPath()
        arguments = [
            "srun", f"--jobid={hosts.slurm_job}", f"--job-name={job.name}", f"--mpi={self.pmi}",
            # beside steps that are about to end; whatever the job was granted of each node
            "--overlap", "--mem=0",
            f"--nodes={placement.nodes}", f"--ntasks={placement.ranks}", f"--cpus-per-task={placement.threads}",
            "--distribution=arbitrary", f"--nodelist={job / RANKS}", f"--cpu-bind={CPU_BIND[placement.binding]}",
            *(["--overcommit"] if placement.binding == "none" else []),
            # else two ranks may get the threads of one core, and both be bound to all of it
            *(["--threads-per-core=1"] if placement.binding == "core" else []),
            "--kill-on-bad-exit=1", f"--task-prolog={job / PROLOG}", f"--task-epilog={job / EPILOG}",
        ]  # fmt: skip
        folder = shlex.quote(str(scratch.shared_memory))
        scripts = {
            RANKS: _ranks(placement, hosts),
            PROLOG: MAKE.format(folder=folder),
            EPILOG: REMOVE.format(folder=folder),
        }
        return Command([*arguments, *program], self.rank_environment(placement, hosts, scratch), scripts)

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """That of the MPI."""
        return self.of.rank_environment(placement, hosts, scratch)

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What srun says of killed ranks, lost nodes and ranks that never started."""
        return LaunchEvidence(
            program=NAME,
            killed=_killed(log),
            lost_daemon=any(words in log for words in _LOST),
            lost_nodes=_LOST_NODE.findall(log),
            out_of_memory=[node for node, _, how in _ENDED.findall(log) if how == _MEMORY],
            not_started=not_started(NAME, _NOT_STARTED, exit_status, log),
        )


def _ranks(placement: Placement, hosts: Hosts) -> str:
    """The node of each rank, a line each: nodes are filled in their order."""
    lines = [address for address, slots in hosts.slots for _ in range(slots)]
    # more ranks than slots, as a study may ask for: the nodes take turns
    while len(lines) < placement.ranks:
        lines += [address for address, _ in hosts.slots]
    chosen = lines[: placement.ranks]
    return "".join(f"{address}\n" for address, _ in hosts.slots for _ in range(chosen.count(address)))


def _killed(log: str) -> KilledRank | None:
    """The first rank that a signal ended, before all one out of memory: srun ends the others itself.

    Only its node where srun names several ranks.
    """
    found = [item for item in _ENDED.findall(log) if item[2] in _SIGNALS]
    if not found:
        return None
    node, tasks, how = min(found, key=lambda item: item[2] != _MEMORY)
    return KilledRank(int(tasks) if tasks.isdecimal() else None, node, _SIGNALS[how])
