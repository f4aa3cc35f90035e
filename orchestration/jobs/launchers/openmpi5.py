"""Open MPI 5: mpirun, which is prterun. Every flag here was tried with version 5.0.11."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, LaunchEvidence, RemoteShell, Scratch
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
from workload.agent.environment import LIBRARY_PATH, NO_HOME, library_path

ENVIRONMENT = {
    **ALLOW_ROOT,
    # no settings of a person's own: those under HOME, then those that mpirun and ranks would read anywhere else
    "HOME": NO_HOME,
    "OMPI_MCA_mca_base_param_files": "none",
    "PMIX_MCA_mca_base_param_files": "none",
    "PRTE_MCA_prte_default_hostfile": "none",
}

_KILLED = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
_LOST_NODE = re.compile(r"lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL)
_LOST = "lost communication with a remote daemon"
_UNREPORTED = re.compile(r"daemon failed to report back after being spawned.*?Remote host:\s+(\S+)", re.DOTALL)
_SSH_REFUSED = re.compile(
    r"^(Host key verification failed|No \S+ host key is known|.*: Permission denied|ssh: (?:connect|Could not)).*$",
    re.M,
)
_NOT_STARTED = (
    "There are not enough slots",
    "was unable to launch",
    "was unable to start",
    "could not find executable",
    "failed to report back after being spawned",
)


class OpenMpi5:
    """mpirun of Open MPI 5, which lies beside the nodes' Python."""

    name = "openmpi5"
    pmi = "pmix"
    library = re.compile(r"Open MPI v((?:[5-9]|\d\d)\.[\w.]+)")
    version = re.compile(r"\(Open MPI\) ((?:[5-9]|\d\d)\.[\w.]+)")

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpirun's argument list and environment."""
        arguments = [str(hosts.program or hosts.python.parent / "mpirun"), "-n", str(placement.ranks)]
        arguments += _mapping(placement, hosts)
        if placement.nodes > 1 and hosts.interface_subnet is not None:
            arguments += ["--prtemca", "oob_tcp_if_include", hosts.interface_subnet]
        if hosts.shell is not None and placement.nodes > 1:
            arguments += _daemons(hosts.shell, hosts)
        arguments += as_words("--mca", _parameters(placement, hosts, scratch))
        arguments += ["--prtemca", "prte_tmpdir_base", str(scratch.session)]
        for variable in THREAD_VARIABLES:
            arguments += ["-x", f"{variable}={placement.threads}"]
        return Command([*arguments, *program], dict(ENVIRONMENT), agents(hosts))

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """Parameters of MCA, threads, and no settings of a person's own."""
        own = {name: ENVIRONMENT[name] for name in ("HOME", "OMPI_MCA_mca_base_param_files")}
        return {**own, **environment_of(_parameters(placement, hosts, scratch), placement)}

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What mpirun says of killed ranks, lost nodes and ranks that never started.

        Its exit status is 0 in most cases in which it loses a node.
        """
        found = _KILLED.search(log)
        return LaunchEvidence(
            program="mpirun",
            killed=None if found is None else KilledRank(int(found[1]), found[2], int(found[3])),
            lost_daemon=_LOST in log,
            lost_nodes=lost_nodes([_LOST_NODE], log),
            not_started=_unreported(log) or not_started("mpirun", _NOT_STARTED, exit_status, log),
        )


def _mapping(placement: Placement, hosts: Hosts) -> list[str]:
    where = ["--hostfile", str(hosts.hostfile)] if hosts.hostfile is not None else []
    if placement.binding == "none":
        # without OVERSUBSCRIBE mpirun counts cores, not our slots, and refuses more ranks
        return [*where, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    if hosts.cpus.core_list is not None:
        # mpirun would bind to the machine's first cores, whatever it may use of them itself
        where += ["--prtemca", "hwloc_default_cpu_list", hosts.cpus.core_list]
    if placement.binding == "hwthread":
        # by core: else the first ranks would share cores while the last cores stay idle
        way = f"slot:PE={placement.threads}" if placement.threads > 1 else "core"
        return [*where, "--map-by", f"{way}:HWTCPUS", "--bind-to", "hwthread"]
    wide = f":PE={placement.threads}" if placement.threads > 1 else ""
    return [*where, "--map-by", f"slot{wide}", "--bind-to", placement.binding]


def _daemons(shell: RemoteShell, hosts: Hosts) -> list[str]:
    """How the daemons of other nodes are started.

    No value may contain a space, because mpirun splits the values at spaces; the inventory does not allow any.
    """
    settings = {
        **shell_parameters(shell, hosts, "plm_ssh"),
        # the head reaches every node itself: its key is on no other
        "plm_ssh_no_tree_spawn": "1",
        **KEEP_ALIVE,
    }
    if shell.token:
        settings["prte_launch_agent"] = " ".join([*attendant(shell, hosts.python, ours=True), "prted"])
    else:
        own = [f"HOME={NO_HOME}", f"{LIBRARY_PATH}={library_path(hosts.python.parents[1])}"]
        settings["prte_launch_agent"] = " ".join(["env", *own, "prted"])
    return as_words("--prtemca", settings)


def _parameters(placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
    """Of MPI's own components, as the ranks read them."""
    own = {f"{component}_backing_directory": str(scratch.shared_memory) for component in ("btl_sm", "osc_sm")}
    # windows of ucx fail between containers
    return {**transport(placement, hosts, "sm"), "osc": "^ucx", **yielding(placement, hosts), **own}


def transport(placement: Placement, hosts: Hosts, shared_memory: str) -> dict[str, str]:
    """How messages travel; `shared_memory` is the component that carries them within a node."""
    if placement.nodes == 1:
        # the fabric's drivers are not needed within a node, and cost 1.3 s at every start
        return {"pml": "ob1", "btl": f"self,{shared_memory}"}
    found = {"pml": "ob1", "btl": f"self,{shared_memory},tcp"} if hosts.transport == "tcp" else {}
    # also where a faster fabric carries the messages: daemons talk over TCP, and hang on a network that leads nowhere
    return found if hosts.interface_subnet is None else {**found, "btl_tcp_if_include": hosts.interface_subnet}


def yielding(placement: Placement, hosts: Hosts) -> dict[str, str]:
    """Ranks that share cores give way to each other: collectives are 60 times faster then."""
    shared = placement.ranks_per_node * placement.threads > hosts.cpus.cores
    return {"mpi_yield_when_idle": "1"} if placement.binding != "hwthread" and shared else {}


def as_words(flag: str, values: Mapping[str, str]) -> list[str]:
    """The values as a command's words."""
    return [word for name, value in values.items() for word in (flag, name, value)]


def environment_of(parameters: Mapping[str, str], placement: Placement) -> dict[str, str]:
    """The same to ranks that no mpirun starts, with their number of threads."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(placement.threads))
    return {**{f"OMPI_MCA_{name}": value for name, value in parameters.items()}, **threads}


def _unreported(log: str) -> str | None:
    """That a daemon did not report back, with what ssh said of it; None where all did."""
    found = _UNREPORTED.search(log)
    if found is None:
        return None
    refused = _SSH_REFUSED.search(log)
    why = f": {refused[0].strip()[:200]}" if refused else ""
    return f"mpirun could not start its daemon on {found[1]}{why}"
