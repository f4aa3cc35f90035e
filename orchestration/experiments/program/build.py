"""A program built on the cluster's head, as a job: the archive of its sources in, that of sources and products out."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

from orchestration.errors import Refusal, Stopped
from orchestration.experiments.experiment import Ground
from orchestration.experiments.program.files import Archive
from orchestration.experiments.program.study import ProgramStudy
from orchestration.jobs.executor import HeadLostError
from orchestration.jobs.job import JobFolders, JobRequest, Starter
from orchestration.jobs.launchers.direct import Direct
from orchestration.jobs.launchers.placement import Placement
from orchestration.jobs.loop import job_loop
from orchestration.paths import SweepPaths
from orchestration.python import isolated
from workload.agent import supervise
from workload.record.digest import document_digest, file_digest
from workload.record.files import write_json

TIMEOUT_S = 1800.0
PRODUCTS, LOG = "products.tar", "log"
LAST_LINES = 8
LIMIT_BYTES = 2**20


def built(study: ProgramStudy, sources: Archive, ground: Ground, cache: Path) -> Archive:
    """The archive with what the study's build commands make of it; the sources where it has none. Raises Refusal.

    What the same cluster made of the same sources by the same commands is not made again.
    """
    commands = study.program.build
    if not commands or ground.executor is None:
        return sources
    key = document_digest([sources.digest, commands, ground.inventory.cluster, ground.inventory.created_at])[:16]
    made = cache / f"build-{key}.json"
    try:
        known = json.loads(made.read_text())
        archive = Archive(cache / f"{known['digest']}.tar", known["digest"], known["files"])
        if archive.path.exists():
            return archive
    except (OSError, ValueError, KeyError, TypeError):
        pass
    archive = _build(commands, sources, ground, cache, key)
    write_json(made, {"schema_version": 1, "digest": archive.digest, "files": dict(archive.files)})
    return archive


def _build(commands: list[list[str]], sources: Archive, ground: Ground, cache: Path, key: str) -> Archive:
    executor, paths = ground.executor, SweepPaths(cache / ground.inventory.cluster)
    if executor is None:
        raise TypeError("nothing can be built where no node is to be asked")
    paths.jobs.mkdir(parents=True, exist_ok=True)
    job, source = paths.job(key), executor.bring(sources.path)
    python = ground.inventory.python

    def program(folders: JobFolders) -> list[str]:
        words = isolated(python, "-m", "workload.agent.build", str(source), str(folders.session / "build"))
        return [*words, str(folders.job / PRODUCTS), str(folders.job / supervise.RUN)]

    environment = ground.environment if ground.environment is not None else executor.site.environment
    request = JobRequest(
        Placement(1, 1, 1), TIMEOUT_S, program, {supervise.RUN: {"schema_version": 1, "commands": commands}},
        starter=Starter(Direct.name, environment=environment),
    )  # fmt: skip
    target = cache / f".{key}.tar"

    def collect(job: Path) -> tuple[int | None, bytes]:
        ended = json.loads(executor.fetch(job, supervise.EXIT, LIMIT_BYTES) or b"{}")
        executor.fetch_file(job, PRODUCTS, target)
        return ended.get("exit_status"), executor.fetch_tail(job, LOG, 2**16)

    try:
        status, said = job_loop(executor, ground.inventory, ground.cpus).carry_out(job, request, collect)
    except (HeadLostError, OSError, ValueError) as error:
        raise Stopped(f"the program cannot be built: {error}") from error
    finally:
        shutil.rmtree(job, ignore_errors=True)
    if status != 0 or not target.exists():
        lines = said.decode(errors="replace").strip().splitlines()[-LAST_LINES:]
        raise Refusal("the build fails on the head: " + " | ".join(line.strip() for line in lines if line.strip()))
    digest = file_digest(target)
    path = cache / f"{digest}.tar"
    target.replace(path)
    return Archive(path, digest, _digests(path))


def _digests(path: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                found[member.name] = hashlib.sha256(file.read()).hexdigest()
    return found
