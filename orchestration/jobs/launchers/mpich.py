"""MPICH 4: mpiexec, which is Hydra. Every flag here was tried with Debian's 4.0.2.

Intel MPI's mpiexec is of the same family and takes the same arguments by its documentation; it was never tried.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, LaunchEvidence, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import Placement
from orchestration.jobs.launchers.ssh_daemons import (
    HOST,
    THREAD_VARIABLES,
    attendant,
    lost_nodes,
    not_started,
    remote_words,
)

SCRIPT = "start-proxy"

_BANNER = re.compile(
    r"=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\s+"
    r"=   PID (\d+) RUNNING AT (\S+)\s+=   EXIT CODE: (\d+)"
)
_LOST_NODE = re.compile(r"unable to write data to proxy.*?\bhost (\S+)")
_LOST = ("lost connection to proxy", "assert (!closed) failed")
NO_PROXY = "no proxy could be started"
START_S = 30

_NOT_STARTED = (
    NO_PROXY,
    "execvp error on file",
    "unable to start proxies",
    "unrecognized argument",
    "not found in the path",
)


class Mpich:
    """mpiexec of MPICH 4."""

    name = "mpich"
    library = re.compile(r"(?:MPICH Version:|Intel\(R\) MPI Library)\s*(\d[\w.]*)")
    pmi = "pmi2"
    version = re.compile(r"HYDRA build details:\s+Version:\s+(\d[\w.]*)|Intel\(R\) MPI Library.*?Version (\S+)", re.S)

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpiexec's argument list and environment."""
        arguments = [str(hosts.program or "mpiexec.mpich"), "-n", str(placement.ranks)]
        scripts: dict[str, str] = {}
        if hosts.shell is not None:
            arguments += ["-hosts", ",".join(f"{address}:{slots}" for address, slots in hosts.slots)]
            if placement.nodes > 1 and hosts.job is not None:
                scripts[SCRIPT] = _script(hosts.shell, hosts)
                arguments += ["-launcher", "ssh", "-launcher-exec", str(hosts.job / SCRIPT)]
        arguments += _binding(placement)
        for name, value in self.rank_environment(placement, hosts, scratch).items():
            arguments += ["-genv", name, value]
        return Command([*arguments, *program], {}, scripts)

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """Threads, and no copies by CMA: ranks abort in containers, which may not read each other's memory."""
        return {**dict.fromkeys(THREAD_VARIABLES, str(placement.threads)), "MPIR_CVAR_CH4_CMA_ENABLE": "0"}

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What mpiexec says of killed ranks, lost nodes and ranks that never started. It names no rank, only a node."""
        found = _BANNER.search(log)
        signal = int(found[3]) if found and "EXIT STRING" not in log and int(found[3]) < 32 else None
        named = re.search(r"YOUR APPLICATION TERMINATED WITH THE EXIT STRING: .*\(signal (\d+)\)", log)
        signal = int(named[1]) if named else signal
        return LaunchEvidence(
            program="mpiexec",
            killed=KilledRank(None, found[2], signal) if found and signal else None,
            # proxies also lose each other where a rank was killed, which the banner says
            lost_daemon=found is None and any(words in log for words in _LOST),
            lost_nodes=lost_nodes([_LOST_NODE], log),
            not_started=not_started("mpiexec", _NOT_STARTED, exit_status, log),
        )


def _binding(placement: Placement) -> list[str]:
    if placement.binding == "none":
        return ["-bind-to", "none"]
    kind = "core" if placement.binding == "core" else "hwthread"
    wide = f":{placement.threads}" if placement.threads > 1 else ""
    return ["-bind-to", f"{kind}{wide}", "-map-by", f"{kind}{wide}"]


def _script(shell: RemoteShell, hosts: Hosts) -> str:
    """What Hydra calls for ssh: `-x HOST COMMAND ..`; the command is a proxy, which is attended over there.

    Hydra waits for a proxy that never comes until the run's limit, and so is ended where one cannot start: 255 is ssh's
    own status, 125 to 127 are env's, and the attendant's are lower. Later on a lost node is Hydra's to tell.
    """
    return (
        f"#!/bin/sh\n{HOST}"
        "begun=$(date +%s)\n"
        f'{remote_words(shell)} {shlex.join(attendant(shell, hosts.python, ours=False))} "$@"\n'
        "status=$?\n"
        f'if [ "$status" -ge 125 ] && [ "$(($(date +%s) - begun))" -lt {START_S} ]; then\n'
        f'  echo "convscale: {NO_PROXY} on $host (ssh ended with status $status)" >&2\n'
        '  kill -TERM "$PPID"; sleep 3; kill -KILL "$PPID"\n'
        "fi\n"
        'exit "$status"\n'
    )
