"""What those launchers share that start their daemons on other nodes: how, by ssh or srun, and what logs say of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from orchestration.jobs.launchers.launcher import Hosts, RemoteShell
from orchestration.python import isolated
from orchestration.ssh.options import NODE_OPTIONS

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# containers and rented machines are often used as root, and nothing else is on them
ALLOW_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
AGENT = "start-daemon"
HOST = 'while [ "${1#-}" != "$1" ]; do shift; done\nhost=$1; shift\n'
UNSET = "unset $(env | sed -n 's/^\\(SLURM[A-Z]*_[A-Za-z0-9_]*\\)=.*/\\1/p' | grep -vx SLURM_CONF); exec \"$@\""
# Open MPI: a daemon cut off from mpirun ends its ranks within 10 s, not after 8 minutes
KEEP_ALIVE = {"oob_tcp_keepalive_time": "4", "oob_tcp_keepalive_intvl": "2", "oob_tcp_keepalive_probes": "3"}
# what ssh or srun says when a node is killed, paused or cut off
LOST_BY_SHELL = (
    re.compile(r"^Timeout, server (\S+) not responding", re.M),
    re.compile(r"^Connection to (\S+) closed by remote host", re.M),
    re.compile(r"^srun: error: Node failure on (\S+)", re.M),
)


def ssh_options(shell: RemoteShell) -> list[str]:
    """The options of ssh to another node."""
    options = [f"UserKnownHostsFile={shell.known_hosts}", *NODE_OPTIONS, f"User={shell.user}"]
    return [word for option in options for word in ("-o", option)]


def remote_words(shell: RemoteShell) -> str:
    """The words of a script that begin a command on the node `$host`.

    A step inherits what Slurm says of the job, by which a launcher would look for nodes and ranks of its own.
    """
    if shell.slurm_job is None:
        return f'{shlex.join(["ssh", "-x", *ssh_options(shell)])} -- "$host"'
    step = [
        "srun", f"--jobid={shell.slurm_job}", f"--job-name={shell.token}", "--quiet", "--overlap", "--mem=0",
        "--mpi=none", "--nodes=1", "--ntasks=1", "--cpu-bind=none", "--input=none",
    ]  # fmt: skip
    return f'{shlex.join(step)} --nodelist="$host" sh -c {shlex.quote(UNSET)} sh'


def shell_parameters(shell: RemoteShell, hosts: Hosts, component: str) -> dict[str, str]:
    """How Open MPI's component for that calls other nodes: by ssh, or by the script in the job's folder."""
    if shell.slurm_job is None or hosts.job is None:
        return {f"{component}_args": " ".join(ssh_options(shell))}
    return {f"{component}_agent": str(hosts.job / AGENT)}


def agents(hosts: Hosts) -> dict[str, str]:
    """The script in the place of ssh in a Slurm job: `AGENT [OPTION ..] HOST COMMAND`, where that is a shell's."""
    if hosts.shell is None or hosts.shell.slurm_job is None:
        return {}
    return {AGENT: f'#!/bin/sh\n{HOST}exec {remote_words(hosts.shell)} sh -c "$*"\n'}


def attendant(shell: RemoteShell, python: PurePosixPath, *, ours: bool) -> list[str]:
    """The words before a daemon's own that have it attended by workload.agent.daemon; `ours`: of our own Open MPI."""
    words = ["env", "-C", str(shell.workdir), *isolated(python, "-m", "workload.agent.daemon")]
    words += ["--token", shell.token, "--limit-s", f"{shell.limit_s:g}"]
    words += [] if ours else ["--environment", "own"]
    return words + [word for folder in shell.make for word in ("--make", str(folder))]


def lost_nodes(patterns: Sequence[re.Pattern[str]], log: str) -> list[str]:
    """The nodes that launcher or ssh say were lost; each pattern's one group is the node."""
    return [name for pattern in (*patterns, *LOST_BY_SHELL) for name in pattern.findall(log)]


def not_started(program: str, phrases: Sequence[str], exit_status: int | None, log: str) -> str | None:
    """Why no rank ran, by the first line of the log with one of the phrases; None where ranks ran."""
    lines = [line.strip() for line in log.splitlines() if any(words in line for words in phrases)]
    if lines:
        return f"{program} could not start: {lines[0]}"
    return f"{program} could not start" if exit_status is None else None
