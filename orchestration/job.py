"""A job: the folder that a run is started from, where mpirun runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.inventory import Inventory
from orchestration.launch import Files, Layout, mpirun
from orchestration.plan import PlannedRun
from workload import supervise
from workload.record import SCHEMA_VERSION, write_json

LOG = "log"
MEASUREMENT = "measurement.json"
PREVIEW = "preview.npz"
SAVED = "saved"


@dataclass(frozen=True)
class Builder:
    """Writes jobs; `program` is what follows `python -m mpi4py`, `environment` what mpirun starts with."""

    inventory: Inventory
    cores: int
    program: Sequence[str]
    environment: Mapping[str, str]

    def write(self, job: Path, planned: PlannedRun, pool: Path, preview: bool) -> None:
        """Makes the job's folder with run.json and job.json; its name is the token. Raises OSError."""
        token = job.name
        run = planned.run
        folder = PurePosixPath(job)
        files = Files(
            run=folder / supervise.RUN,
            measurement=folder / MEASUREMENT,
            pool=PurePosixPath(pool),
            scratch=scratch(token),
            shared_memory=PurePosixPath(f"/dev/shm/convscale-{token}"),  # noqa: S108  private, and the only place for it
            save_to=folder / SAVED if run.save else None,
            preview=folder / PREVIEW if preview else None,
        )
        layout = Layout(
            python=PurePosixPath(self.inventory.python),
            as_root=os.getuid() == 0,
            cores=self.cores,
            transport=self.inventory.transport,
            interface_subnet=self.inventory.interface_subnet,
        )
        job.mkdir(parents=True)
        if run.save:
            (job / SAVED).mkdir()
        write_json(job / supervise.RUN, {"schema_version": SCHEMA_VERSION, "run_id": run.run_id, "run": run.as_dict()})
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "argv": mpirun(run, layout, files, self.program),
            "env": dict(self.environment),
            "cwd": self.inventory.workdir,
            "timeout_s": planned.timeout_s,
            "token": token,
            "log": str(folder / LOG),
            "make": [str(files.scratch), str(files.shared_memory)],
        }
        write_json(job / supervise.JOB, document)


def scratch(token: str) -> PurePosixPath:
    """The run's own folder for Open MPI's session files: short, because sockets lie in it."""
    return PurePosixPath(tempfile.gettempdir()) / f"convscale-{os.getuid()}" / token
