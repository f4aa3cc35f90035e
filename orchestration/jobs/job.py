"""The folder of a job: what is written into it before an executor starts the job."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from infra.hostfile import hostfile
from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.jobs import launchers
from orchestration.jobs.executor import Executor, Site
from orchestration.jobs.launchers.launcher import Hosts, Launcher, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from workload.agent import supervise
from workload.record.files import write_json, write_whole
from workload.record.schema import SCHEMA_VERSION

LOG = "log"
MEASUREMENT = "measurement.json"
HOSTFILE = "hostfile"
TEMPORARY = PurePosixPath("/tmp")  # noqa: S108  of the nodes: short, because sockets lie in it
DAEMON_GRACE_S = 30.0  # past the job's limit a node's daemon ends by itself, should nobody tell it to


@dataclass(frozen=True)
class JobFolders:
    """The job's own folder on the head, and its scratch folder and the work folder, which every node has."""

    job: PurePosixPath
    session: PurePosixPath
    workdir: PurePosixPath


@dataclass(frozen=True)
class Starter:
    """How a job's ranks are started where that is not by our own Open MPI.

    `program` is the launcher's own, None for the one beside the nodes' Python. `environment` stands in the place of
    what the executor gives every job. `carrier` makes the words before the launcher's: what carries it through.
    """

    launcher: str
    program: PurePosixPath | None = None
    environment: Mapping[str, str] | None = None
    carrier: Callable[[JobFolders], Sequence[str]] = lambda _: ()


@dataclass(frozen=True)
class JobRequest:
    """What a job is to run.

    `program` takes the job's folders as the head sees them and returns the command of every rank. `documents` are JSON
    files and `folders` empty folders that are in the job's folder before the start.
    """

    placement: Placement
    timeout_s: float
    program: Callable[[JobFolders], Sequence[str]]
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: Sequence[str] = ()
    starter: Starter | None = None


@dataclass(frozen=True)
class JobWriter:
    """Writes job folders for a cluster."""

    inventory: Inventory
    cpus: NodeCpus
    executor: Executor

    def write(self, job: Path, request: JobRequest) -> None:
        """Makes the job's folder, whose name is the token. Raises OSError."""
        starter = request.starter or Starter(launchers.DEFAULT)
        launcher = launchers.find(starter.launcher, self.inventory.slurm)
        site, there = self.site(launcher), self.executor.folder(job)
        session, shared_memory = folders_made(site, job.name)
        scratch = Scratch(PurePosixPath(session), PurePosixPath(shared_memory))
        hosts = self._hosts(job, request, site, scratch)
        folders = JobFolders(there, scratch.session, PurePosixPath(self.inventory.workdir))
        command = launcher.command(request.placement, hosts, scratch, request.program(folders))
        job.mkdir(parents=True)
        for name in request.folders:
            (job / name).mkdir()
        for name, document in request.documents.items():
            write_json(job / name, document)
        for name, text in command.scripts.items():
            (job / name).write_text(text)
            (job / name).chmod(0o700)
        if hosts.shell is not None:
            # the nodes that the run needs, and no other: a node lost that it does not need must not end it
            (job / HOSTFILE).write_text(
                hostfile([node.model_dump() for node in _used(self.inventory, request.placement)])
            )
            (job / hosts.shell.known_hosts.name).write_text(site.known_hosts)
        document = {
            "schema_version": SCHEMA_VERSION,
            "argv": [*starter.carrier(folders), *command.argv],
            "env": {
                **(site.environment if starter.environment is None else starter.environment),
                **command.environment,
            },
            "cwd": self.inventory.workdir,
            "timeout_s": request.timeout_s,
            "token": job.name,
            "log": str(there / LOG),
            "make": [session, shared_memory],
        }
        # a person's own environment may stand in it
        write_whole(job / supervise.JOB, json.dumps(document, indent=1, allow_nan=False) + "\n", mode=0o600)

    def site(self, launcher: Launcher) -> Site:
        """What the job depends on. Raises Refusal where mpirun is to start ranks of a Slurm job from elsewhere."""
        site = self.executor.site
        if self.inventory.slurm is None or launcher.name not in launchers.OF_RANKS:
            return site
        head = self.inventory.nodes[0].name
        if self.executor.names.get(self.executor.node) != head:
            raise Refusal(
                f"{launchers.told(launcher.name, self.inventory.slurm)}, and mpirun starts ranks from the job's "
                f"first node, {head}, alone: use 'fab submit', or start fab by sbatch"
            )
        return replace(site, temporary=TEMPORARY, hosts=[node.address for node in self.inventory.nodes])

    def _hosts(self, job: Path, request: JobRequest, site: Site, scratch: Scratch) -> Hosts:
        there = self.executor.folder(job)
        slurm_job = None if self.inventory.slurm is None else self.inventory.slurm.job
        shell = None
        if site.hosts:
            shell = RemoteShell(
                # named by the token, so that a lost mpirun's ssh clients carry it too
                known_hosts=there / f"known_hosts-{job.name}",
                user=self.inventory.user or "",
                workdir=PurePosixPath(self.inventory.workdir),
                token=job.name,
                make=(scratch.session, scratch.shared_memory),
                limit_s=request.timeout_s + DAEMON_GRACE_S,
                slurm_job=slurm_job,
            )
        return Hosts(
            python=PurePosixPath(self.inventory.python),
            cpus=self.cpus,
            transport=self.inventory.transport,
            interface_subnet=self.inventory.interface_subnet,
            hostfile=there / HOSTFILE if shell is not None else None,
            shell=shell,
            job=there,
            program=None if request.starter is None else request.starter.program,
            slots=[(node.address, node.slots) for node in _used(self.inventory, request.placement)],
            slurm_job=slurm_job,
        )


def _used(inventory: Inventory, placement: Placement) -> list[Node]:
    """The nodes that a run uses, each with no more slots than it takes ranks."""
    most = placement.ranks_per_node
    return [node.model_copy(update={"slots": min(node.slots, most)}) for node in inventory.nodes[: placement.nodes]]


def folders_made(site: Site, token: str) -> list[str]:
    """The folders that a job has on each of its nodes: for the launcher's session files and for shared memory."""
    session = site.temporary / f"convscale-{site.uid}" / token
    return [str(session), f"/dev/shm/convscale-{token}"]  # noqa: S108  private, and the only place for it
