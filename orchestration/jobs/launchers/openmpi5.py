"""Open MPI 5: mpirun, which is prterun. Every flag here was tried with version 5.0.11."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from orchestration.jobs.launchers.launcher import Command, Hosts, KilledRank, LaunchEvidence, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import Placement
from orchestration.python import isolated
from orchestration.ssh.options import NODE_OPTIONS
from workload.agent.environment import LIBRARY_PATH, NO_HOME, library_path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# containers and rented machines are often used as root, and nothing else is on them
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    # no settings of a person's own: those under HOME, then those that mpirun and ranks would read anywhere else
    "HOME": NO_HOME,
    "OMPI_MCA_mca_base_param_files": "none",
    "PMIX_MCA_mca_base_param_files": "none",
    "PRTE_MCA_prte_default_hostfile": "none",
}

_KILLED = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
# what mpirun, or the ssh that it started, says when a node is killed, paused or cut off
_LOST_NODES = (
    re.compile(r"lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL),
    re.compile(r"^Timeout, server (\S+) not responding", re.M),
    re.compile(r"^Connection to (\S+) closed by remote host", re.M),
)
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
    library = re.compile(r"Open MPI v((?:[5-9]|\d\d)\.[\w.]+)")
    version = re.compile(r"\(Open MPI\) ((?:[5-9]|\d\d)\.[\w.]+)")

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpirun's argument list and environment."""
        arguments = [str(hosts.program or hosts.python.parent / "mpirun"), "-n", str(placement.ranks)]
        arguments += [*_mapping(placement, hosts), *_transport(placement, hosts)]
        if hosts.shell is not None and placement.nodes > 1:
            arguments += _daemons(hosts.shell, hosts.python)
        arguments += ["--mca", "osc", "^ucx"]  # its windows fail between containers
        if placement.binding != "hwthread" and placement.ranks_per_node * placement.threads > hosts.cpus.cores:
            arguments += ["--mca", "mpi_yield_when_idle", "1"]  # 60 times faster collectives where ranks share cores
        for component in ("btl_sm", "osc_sm"):
            arguments += ["--mca", f"{component}_backing_directory", str(scratch.shared_memory)]
        arguments += ["--prtemca", "prte_tmpdir_base", str(scratch.session)]
        for variable in THREAD_VARIABLES:
            arguments += ["-x", f"{variable}={placement.threads}"]
        return Command([*arguments, *program], dict(ENVIRONMENT))

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What mpirun says of killed ranks, lost nodes and ranks that never started.

        Its exit status is 0 in most cases in which it loses a node.
        """
        found = _KILLED.search(log)
        started = exit_status is not None and not any(words in log for words in _NOT_STARTED)
        return LaunchEvidence(
            program="mpirun",
            killed=None if found is None else KilledRank(int(found[1]), found[2], int(found[3])),
            lost_daemon=_LOST in log,
            lost_nodes=[name for pattern in _LOST_NODES for name in pattern.findall(log)],
            not_started=None if started else _not_started(log),
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


def _daemons(shell: RemoteShell, python: PurePosixPath) -> list[str]:
    """How the daemons of other nodes are started.

    No value may contain a space, because mpirun splits the values at spaces; the inventory does not allow any.
    """
    options = [f"UserKnownHostsFile={shell.known_hosts}", *NODE_OPTIONS, f"User={shell.user}"]
    settings = {
        "plm_ssh_args": " ".join(word for option in options for word in ("-o", option)),
        # the head reaches every node itself: its key is on no other
        "plm_ssh_no_tree_spawn": "1",
        # a daemon cut off from mpirun ends its ranks within 10 s, not after 8 minutes
        "oob_tcp_keepalive_time": "4",
        "oob_tcp_keepalive_intvl": "2",
        "oob_tcp_keepalive_probes": "3",
    }
    if shell.token:
        attended = ["env", "-C", str(shell.workdir), *isolated(python, "-m", "workload.agent.daemon")]
        attended += ["--token", shell.token, "--limit-s", f"{shell.limit_s:g}"]
        for folder in shell.make:
            attended += ["--make", str(folder)]
        settings["prte_launch_agent"] = " ".join([*attended, "prted"])
    else:
        own = [f"HOME={NO_HOME}", f"{LIBRARY_PATH}={library_path(python.parents[1])}"]
        settings["prte_launch_agent"] = " ".join(["env", *own, "prted"])
    return [word for name, value in settings.items() for word in ("--prtemca", name, value)]


def _transport(placement: Placement, hosts: Hosts) -> list[str]:
    if placement.nodes == 1:
        # the fabric's drivers are not needed within a node, and cost 1.3 s at every start
        return ["--mca", "pml", "ob1", "--mca", "btl", "self,sm"]
    arguments = ["--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp"] if hosts.transport == "tcp" else []
    # also where a faster fabric carries the messages: daemons talk over TCP, and hang on a network that leads nowhere
    if hosts.interface_subnet is not None:
        arguments += ["--mca", "btl_tcp_if_include", hosts.interface_subnet]
        arguments += ["--prtemca", "oob_tcp_if_include", hosts.interface_subnet]
    return arguments


def _not_started(log: str) -> str:
    if found := _UNREPORTED.search(log):
        refused = _SSH_REFUSED.search(log)
        why = f": {refused[0].strip()[:200]}" if refused else ""
        return f"mpirun could not start its daemon on {found[1]}{why}"
    lines = [line.strip() for line in log.splitlines() if any(words in line for words in _NOT_STARTED)]
    return f"mpirun could not start: {lines[0]}" if lines else "mpirun could not start"
