"""mpirun's argument list for a run. Pure: everything it depends on is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from workload.record.run import Run

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "USER")


SSH_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=4",
    # a node that is paused or cut off would else hang mpirun for ever: so it ends within 6 s
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
)


@dataclass(frozen=True)
class Shell:
    """How mpirun starts its daemons on the other nodes: over ssh, each attended by workload.daemon."""

    known_hosts: PurePosixPath
    workdir: PurePosixPath  # the same on every node
    user: str
    token: str
    make: Sequence[PurePosixPath]
    limit_s: float


@dataclass(frozen=True)
class Layout:
    """What the launcher must know of the place besides the run; paths as the head sees them."""

    python: PurePosixPath
    as_root: bool
    cores: int  # physical cores of a node, the least of them
    transport: str  # auto, tcp
    interface_subnet: str | None = None
    hostfile: PurePosixPath | None = None  # where there are other nodes
    shell: Shell | None = None


@dataclass(frozen=True)
class Files:
    """A run's own files and folders, as the head sees them."""

    run: PurePosixPath
    measurement: PurePosixPath
    pool: PurePosixPath
    scratch: PurePosixPath  # Open MPI's session files: short, for sockets lie in it
    shared_memory: PurePosixPath
    save_to: PurePosixPath | None = None
    preview: PurePosixPath | None = None


def mpirun(run: Run, layout: Layout, files: Files, program: Sequence[str]) -> list[str]:
    """The whole command; `program` is what follows `python -m mpi4py`, for example `["-m", "workload"]`."""
    arguments = [str(layout.python.parent / "mpirun")]
    if layout.as_root:
        arguments.append("--allow-run-as-root")
    arguments += ["-n", str(run.ranks), *_placement(run, layout), *_transport(run, layout)]
    if layout.shell is not None and run.nodes > 1:
        arguments += _daemons(layout.shell, layout.python)
    arguments += ["--mca", "osc", "^ucx"]  # its windows fail between containers
    if run.ranks_per_node * run.threads > layout.cores:
        arguments += ["--mca", "mpi_yield_when_idle", "1"]  # 60 times faster collectives where ranks share cores
    for component in ("btl_sm", "osc_sm"):
        arguments += ["--mca", f"{component}_backing_directory", str(files.shared_memory)]
    arguments += ["--prtemca", "prte_tmpdir_base", str(files.scratch)]
    for variable in THREAD_VARIABLES:
        arguments += ["-x", f"{variable}={run.threads}"]
    # without mpi4py's runner an exception in one rank leaves the others waiting for ever
    return [*arguments, str(layout.python), "-m", "mpi4py", *program, *_workload_arguments(files)]


def _placement(run: Run, layout: Layout) -> list[str]:
    where = ["--hostfile", str(layout.hostfile)] if layout.hostfile is not None else []
    if run.binding == "none":
        # without OVERSUBSCRIBE mpirun counts cores, not our slots, and refuses more ranks
        return [*where, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    wide = f":PE={run.threads}" if run.threads > 1 else ""
    return [*where, "--map-by", f"slot{wide}", "--bind-to", run.binding]


def _daemons(shell: Shell, python: PurePosixPath) -> list[str]:
    """No word of these may hold a space: mpirun takes them apart at spaces. The inventory admits none."""
    options = [f"UserKnownHostsFile={shell.known_hosts}", *SSH_OPTIONS, f"User={shell.user}"]
    attended = ["env", "-C", str(shell.workdir), str(python), "-m", "workload.agent.daemon", "--token", shell.token]
    attended += ["--limit-s", f"{shell.limit_s:g}"]
    for folder in shell.make:
        attended += ["--make", str(folder)]
    settings = {
        "plm_ssh_args": " ".join(word for option in options for word in ("-o", option)),
        # the head reaches every node itself: its key is on no other
        "plm_ssh_no_tree_spawn": "1",
        "prte_launch_agent": " ".join([*attended, "prted"]),
        # a daemon cut off from mpirun ends its ranks within 10 s, not after 8 minutes
        "oob_tcp_keepalive_time": "4",
        "oob_tcp_keepalive_intvl": "2",
        "oob_tcp_keepalive_probes": "3",
    }
    return [word for name, value in settings.items() for word in ("--prtemca", name, value)]


def _transport(run: Run, layout: Layout) -> list[str]:
    if run.nodes == 1:
        # the fabric's drivers are not needed within a node, and cost 1.3 s at every start
        return ["--mca", "pml", "ob1", "--mca", "btl", "self,sm"]
    arguments = ["--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp"] if layout.transport == "tcp" else []
    # also where a faster fabric carries the messages: daemons talk over TCP, and hang on a network that leads nowhere
    if layout.interface_subnet is not None:
        arguments += ["--mca", "btl_tcp_if_include", layout.interface_subnet]
        arguments += ["--prtemca", "oob_tcp_if_include", layout.interface_subnet]
    return arguments


def _workload_arguments(files: Files) -> list[str]:
    arguments = ["--run", str(files.run), "--record", str(files.measurement), "--images", str(files.pool)]
    if files.save_to is not None:
        arguments += ["--save-to", str(files.save_to)]
    if files.preview is not None:
        arguments += ["--preview", str(files.preview)]
    return arguments


def kept_environment(environment: dict[str, str]) -> dict[str, str]:
    """What of the operator's environment a run inherits: never its PYTHONPATH, thread counts or MPI settings."""
    return {name: environment[name] for name in KEPT_VARIABLES if name in environment}
