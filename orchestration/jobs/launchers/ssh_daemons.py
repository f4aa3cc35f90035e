"""What those launchers share that start their daemons on other nodes over ssh: how, and what their logs say of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from orchestration.jobs.launchers.launcher import RemoteShell
from orchestration.python import isolated
from orchestration.ssh.options import NODE_OPTIONS

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# containers and rented machines are often used as root, and nothing else is on them
ALLOW_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
# Open MPI: a daemon cut off from mpirun ends its ranks within 10 s, not after 8 minutes
KEEP_ALIVE = {"oob_tcp_keepalive_time": "4", "oob_tcp_keepalive_intvl": "2", "oob_tcp_keepalive_probes": "3"}
# what ssh says when a node is killed, paused or cut off
LOST_BY_SSH = (
    re.compile(r"^Timeout, server (\S+) not responding", re.M),
    re.compile(r"^Connection to (\S+) closed by remote host", re.M),
)


def ssh_options(shell: RemoteShell) -> list[str]:
    """The options of ssh to another node."""
    options = [f"UserKnownHostsFile={shell.known_hosts}", *NODE_OPTIONS, f"User={shell.user}"]
    return [word for option in options for word in ("-o", option)]


def attendant(shell: RemoteShell, python: PurePosixPath, *, ours: bool) -> list[str]:
    """The words before a daemon's own that have it attended by workload.agent.daemon; `ours`: of our own Open MPI."""
    words = ["env", "-C", str(shell.workdir), *isolated(python, "-m", "workload.agent.daemon")]
    words += ["--token", shell.token, "--limit-s", f"{shell.limit_s:g}"]
    words += [] if ours else ["--environment", "own"]
    return words + [word for folder in shell.make for word in ("--make", str(folder))]


def lost_nodes(patterns: Sequence[re.Pattern[str]], log: str) -> list[str]:
    """The nodes that launcher or ssh say were lost; each pattern's one group is the node."""
    return [name for pattern in (*patterns, *LOST_BY_SSH) for name in pattern.findall(log)]


def not_started(program: str, phrases: Sequence[str], exit_status: int | None, log: str) -> str | None:
    """Why no rank ran, by the first line of the log with one of the phrases; None where ranks ran."""
    lines = [line.strip() for line in log.splitlines() if any(words in line for words in phrases)]
    if lines:
        return f"{program} could not start: {lines[0]}"
    return f"{program} could not start" if exit_status is None else None
