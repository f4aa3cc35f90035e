"""The folder of a job: what is written into it before an executor starts the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from infra.hostfile import hostfile
from orchestration.clusters.inventory import Inventory
from orchestration.jobs.executor import Executor, Site
from orchestration.jobs.launchers.launcher import Hosts, Launcher, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from workload.agent import supervise
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

LOG = "log"
MEASUREMENT = "measurement.json"
HOSTFILE = "hostfile"
DAEMON_GRACE_S = 30.0  # past the job's limit a node's daemon ends by itself, should nobody tell it to


@dataclass(frozen=True)
class JobRequest:
    """What a job is to run.

    `program` takes the job's folder as the head sees it and returns the command of every rank. `documents` are JSON
    files and `folders` empty folders that are in the job's folder before the start.
    """

    placement: Placement
    timeout_s: float
    program: Callable[[PurePosixPath], Sequence[str]]
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: Sequence[str] = ()


@dataclass(frozen=True)
class JobWriter:
    """Writes job folders for a cluster."""

    inventory: Inventory
    cpus: NodeCpus
    executor: Executor
    launcher: Launcher

    def write(self, job: Path, request: JobRequest) -> None:
        """Makes the job's folder, whose name is the token. Raises OSError."""
        site, there = self.executor.site, self.executor.folder(job)
        session, shared_memory = folders_made(site, job.name)
        scratch = Scratch(PurePosixPath(session), PurePosixPath(shared_memory))
        hosts = self._hosts(job, request, site, scratch)
        command = self.launcher.command(request.placement, hosts, scratch, request.program(there))
        job.mkdir(parents=True)
        for name in request.folders:
            (job / name).mkdir()
        for name, document in request.documents.items():
            write_json(job / name, document)
        if hosts.shell is not None:
            # the nodes that the run needs, and no other: a node lost that it does not need must not end it
            nodes = [node.model_dump() for node in self.inventory.nodes[: request.placement.nodes]]
            (job / HOSTFILE).write_text(hostfile(nodes))
            (job / hosts.shell.known_hosts.name).write_text(site.known_hosts)
        document = {
            "schema_version": SCHEMA_VERSION,
            "argv": command.argv,
            "env": {**site.environment, **command.environment},
            "cwd": self.inventory.workdir,
            "timeout_s": request.timeout_s,
            "token": job.name,
            "log": str(there / LOG),
            "make": [session, shared_memory],
        }
        write_json(job / supervise.JOB, document)

    def _hosts(self, job: Path, request: JobRequest, site: Site, scratch: Scratch) -> Hosts:
        there = self.executor.folder(job)
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
            )
        return Hosts(
            python=PurePosixPath(self.inventory.python),
            cpus=self.cpus,
            transport=self.inventory.transport,
            interface_subnet=self.inventory.interface_subnet,
            hostfile=there / HOSTFILE if shell is not None else None,
            shell=shell,
        )


def folders_made(site: Site, token: str) -> list[str]:
    """The folders that a job has on each of its nodes: for the launcher's session files and for shared memory."""
    session = site.temporary / f"convscale-{site.uid}" / token
    return [str(session), f"/dev/shm/convscale-{token}"]  # noqa: S108  private, and the only place for it
