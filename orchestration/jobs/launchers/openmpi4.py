"""Open MPI 4.1: mpirun, which is orterun, as Debian and Ubuntu ship it. Every flag here was tried with 4.1.4."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, LaunchEvidence, RemoteShell, Scratch
from orchestration.jobs.launchers.openmpi5 import as_words, environment_of, transport, yielding
from orchestration.jobs.launchers.placement import Placement
from orchestration.jobs.launchers.ssh_daemons import (
    ALLOW_ROOT,
    KEEP_ALIVE,
    THREAD_VARIABLES,
    agents,
    attendant,
    lost_nodes,
    not_started,
    shell_parameters,
)

_KILLED = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)")
_LOST_NODE = re.compile(
    r"ORTE has lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL
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
    pmi = "pmix"
    library = re.compile(r"Open MPI v(4\.[\w.]+)")
    version = re.compile(r"\((?:OpenRTE|Open MPI)\) (4\.[\w.]+)")

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpirun's argument list and environment."""
        arguments = [str(hosts.program or "mpirun.openmpi"), *_prefix(hosts), "-n", str(placement.ranks)]
        arguments += _mapping(placement, hosts)
        if placement.nodes > 1 and hosts.interface_subnet is not None:
            arguments += ["--mca", "oob_tcp_if_include", hosts.interface_subnet]
        if hosts.shell is not None and placement.nodes > 1:
            arguments += _daemons(hosts.shell, hosts)
        arguments += as_words("--mca", _parameters(placement, hosts, scratch))
        arguments += ["--mca", "orte_tmpdir_base", str(scratch.session)]
        for variable in THREAD_VARIABLES:
            arguments += ["-x", f"{variable}={placement.threads}"]
        return Command([*arguments, *program], dict(ALLOW_ROOT), agents(hosts))

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """Parameters of MCA, and threads."""
        return environment_of(_parameters(placement, hosts, scratch), placement)

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What mpirun says of killed ranks, lost nodes and ranks that never started."""
        found = _KILLED.search(log)
        return LaunchEvidence(
            program="mpirun",
            killed=None if found is None else KilledRank(int(found[1]), found[2], int(found[3])),
            lost_daemon=_LOST in log,
            lost_nodes=lost_nodes([_LOST_NODE], log),
            not_started=not_started("mpirun", _NOT_STARTED, exit_status, log),
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
    settings = {
        **shell_parameters(shell, hosts, "plm_rsh"),
        "plm_rsh_no_tree_spawn": "1",
        # a daemon that detached itself would leave its attendant, which ends with it
        "orte_leave_session_attached": "1",
        **KEEP_ALIVE,
    }
    if shell.token:
        settings["orte_launch_agent"] = " ".join([*attendant(shell, hosts.python, ours=False), "orted"])
    return as_words("--mca", settings)


def _parameters(placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
    """Of MPI's own components, as the ranks read them."""
    own = {"btl_vader_backing_directory": str(scratch.shared_memory)}
    return {**transport(placement, hosts, "vader"), **yielding(placement, hosts), **own}
