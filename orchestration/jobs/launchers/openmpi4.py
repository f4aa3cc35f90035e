"""Open MPI 4.1: mpirun, which is orterun, as Debian and Ubuntu ship it. Every flag here was tried with 4.1.4."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, LaunchEvidence, RemoteShell, Scratch
from orchestration.jobs.launchers.openmpi5 import THREAD_VARIABLES
from orchestration.jobs.launchers.placement import Placement
from orchestration.python import isolated
from orchestration.ssh.options import NODE_OPTIONS

ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
MODULE = "workload.agent.daemon"

_KILLED = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)")
_LOST_NODES = (
    re.compile(r"ORTE has lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL),
    re.compile(r"^Timeout, server (\S+) not responding", re.M),
    re.compile(r"^Connection to (\S+) closed by remote host", re.M),
)
_LOST = "lost communication with a remote daemon"
_NOT_STARTED = (
    "There are not enough slots",
    "was unable to launch",
    "was unable to find",
    "was unable to start",
    "was unable to reliably start",
    "failed to start a daemon",
    "No processes were launched",
)


class OpenMpi4:
    """mpirun of Open MPI 4.1."""

    name = "openmpi4"
    library = re.compile(r"Open MPI v(4\.[\w.]+)")
    version = re.compile(r"\((?:OpenRTE|Open MPI)\) (4\.[\w.]+)")

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpirun's argument list and environment."""
        arguments = [str(hosts.program or "mpirun.openmpi"), *_prefix(hosts), "-n", str(placement.ranks)]
        arguments += [*_mapping(placement, hosts), *_transport(placement, hosts)]
        if hosts.shell is not None and placement.nodes > 1:
            arguments += _daemons(hosts.shell, hosts)
        if placement.binding != "hwthread" and placement.ranks_per_node * placement.threads > hosts.cpus.cores:
            arguments += ["--mca", "mpi_yield_when_idle", "1"]
        arguments += ["--mca", "btl_vader_backing_directory", str(scratch.shared_memory)]
        arguments += ["--mca", "orte_tmpdir_base", str(scratch.session)]
        for variable in THREAD_VARIABLES:
            arguments += ["-x", f"{variable}={placement.threads}"]
        return Command([*arguments, *program], dict(ENVIRONMENT))

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What mpirun says of killed ranks, lost nodes and ranks that never started."""
        found = _KILLED.search(log)
        started = exit_status is not None and not any(words in log for words in _NOT_STARTED)
        lines = [line.strip() for line in log.splitlines() if any(words in line for words in _NOT_STARTED)]
        return LaunchEvidence(
            program="mpirun",
            killed=None if found is None else KilledRank(int(found[1]), found[2], int(found[3])),
            lost_daemon=_LOST in log,
            lost_nodes=[name for pattern in _LOST_NODES for name in pattern.findall(log)],
            not_started=None
            if started
            else f"mpirun could not start: {lines[0]}"
            if lines
            else "mpirun could not start",
        )


def _prefix(hosts: Hosts) -> list[str]:
    """An absolute path stands for --prefix, which is wrong for the system's own folders and needed for any other."""
    return ["--noprefix"] if hosts.program is None or str(hosts.program.parents[1]) in ("/", "/usr") else []


def _mapping(placement: Placement, hosts: Hosts) -> list[str]:
    where = ["--hostfile", str(hosts.hostfile)] if hosts.hostfile is not None else []
    if placement.binding == "none":
        return [*where, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    wide = f":PE={placement.threads}" if placement.threads > 1 else ""
    if placement.binding == "hwthread":
        return [*where, "--use-hwthread-cpus", "--map-by", f"slot{wide}", "--bind-to", "hwthread"]
    return [*where, "--map-by", f"slot{wide}", "--bind-to", placement.binding]


def _daemons(shell: RemoteShell, hosts: Hosts) -> list[str]:
    """How the daemons of other nodes are started; mpirun takes these words apart at spaces."""
    options = [f"UserKnownHostsFile={shell.known_hosts}", *NODE_OPTIONS, f"User={shell.user}"]
    settings = {
        "plm_rsh_args": " ".join(word for option in options for word in ("-o", option)),
        "plm_rsh_no_tree_spawn": "1",
        # a daemon that detached itself would leave its attendant, which ends with it
        "orte_leave_session_attached": "1",
        "oob_tcp_keepalive_time": "4",
        "oob_tcp_keepalive_intvl": "2",
        "oob_tcp_keepalive_probes": "3",
    }
    if shell.token:
        attended = ["env", "-C", str(shell.workdir), *isolated(hosts.python, "-m", MODULE)]
        attended += ["--token", shell.token, "--limit-s", f"{shell.limit_s:g}", "--environment", "own"]
        for folder in shell.make:
            attended += ["--make", str(folder)]
        settings["orte_launch_agent"] = " ".join([*attended, "orted"])
    return [word for name, value in settings.items() for word in ("--mca", name, value)]


def _transport(placement: Placement, hosts: Hosts) -> list[str]:
    if placement.nodes == 1:
        return ["--mca", "pml", "ob1", "--mca", "btl", "self,vader"]
    arguments = ["--mca", "pml", "ob1", "--mca", "btl", "self,vader,tcp"] if hosts.transport == "tcp" else []
    if hosts.interface_subnet is not None:
        arguments += ["--mca", "btl_tcp_if_include", hosts.interface_subnet]
        arguments += ["--mca", "oob_tcp_if_include", hosts.interface_subnet]
    return arguments
