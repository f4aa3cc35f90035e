"""A job: the folder that a run is started from, where mpirun runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from infra.hostfile import hostfile
from orchestration.clusters.inventory import Inventory
from orchestration.jobs.executor import Place, Site
from orchestration.jobs.mpirun import Files, Layout, Shell, mpirun
from orchestration.planning.plan import PlannedRun
from workload.agent import supervise
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

LOG = "log"
MEASUREMENT = "measurement.json"
PREVIEW = "preview.npz"
SAVED = "saved"


HOSTFILE = "hostfile"
DAEMON_GRACE_S = 30.0  # past the run's limit a node's daemon ends by itself, should nobody tell it to


@dataclass(frozen=True)
class Builder:
    """Writes jobs for a place; `program` is what follows `python -m mpi4py`."""

    inventory: Inventory
    cores: int
    program: Sequence[str]
    place: Place

    def write(self, job: Path, planned: PlannedRun, pool: PurePosixPath, preview: bool) -> None:
        """Makes the job's folder with run.json and job.json; its name is the token. Raises OSError."""
        run, site = planned.run, self.place.site
        files = self._files(job, planned, pool, preview)
        shell = self._shell(job, planned, files, site)
        layout = Layout(
            python=PurePosixPath(self.inventory.python),
            as_root=site.uid == 0,
            cores=self.cores,
            transport=self.inventory.transport,
            interface_subnet=self.inventory.interface_subnet,
            hostfile=self.place.folder(job) / HOSTFILE if shell is not None else None,
            shell=shell,
        )
        job.mkdir(parents=True)
        if run.save:
            (job / SAVED).mkdir()
        write_json(job / supervise.RUN, {"schema_version": SCHEMA_VERSION, "run_id": run.run_id, "run": run.as_dict()})
        if shell is not None:
            # the nodes that the run needs, and no other: a node lost that it does not need must not end it
            nodes = [node.model_dump() for node in self.inventory.nodes[: run.nodes]]
            (job / HOSTFILE).write_text(hostfile(nodes))
            (job / shell.known_hosts.name).write_text(site.known_hosts)
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "argv": mpirun(run, layout, files, self.program),
            "env": dict(site.environment),
            "cwd": self.inventory.workdir,
            "timeout_s": planned.timeout_s,
            "token": job.name,
            "log": str(self.place.folder(job) / LOG),
            "make": made(site, job.name),
        }
        write_json(job / supervise.JOB, document)

    def _files(self, job: Path, planned: PlannedRun, pool: PurePosixPath, preview: bool) -> Files:
        folder = self.place.folder(job)
        scratch, shared_memory = map(PurePosixPath, made(self.place.site, job.name))
        return Files(
            run=folder / supervise.RUN,
            measurement=folder / MEASUREMENT,
            pool=pool,
            scratch=scratch,
            shared_memory=shared_memory,
            save_to=folder / SAVED if planned.run.save else None,
            preview=folder / PREVIEW if preview else None,
        )

    def _shell(self, job: Path, planned: PlannedRun, files: Files, site: Site) -> Shell | None:
        """How mpirun reaches the other nodes; None where the place has none."""
        if not site.hosts:
            return None
        return Shell(
            # named by the token, so that a lost mpirun's ssh clients carry it too
            known_hosts=self.place.folder(job) / f"known_hosts-{job.name}",
            workdir=PurePosixPath(self.inventory.workdir),
            user=self.inventory.user or "",
            token=job.name,
            make=(files.scratch, files.shared_memory),
            limit_s=planned.timeout_s + DAEMON_GRACE_S,
        )


def made(site: Site, token: str) -> list[str]:
    """A run's own folders on each of its nodes: Open MPI's session files, shared memory. The first one's path is
    short, because sockets lie in it."""
    scratch = site.temporary / f"convscale-{site.uid}" / token
    return [str(scratch), f"/dev/shm/convscale-{token}"]  # noqa: S108  private, and the only place for it
