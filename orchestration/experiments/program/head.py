"""A study's commands on the cluster's head: jobs that build the program, and that prepare and clean up a sweep."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestration.errors import Refusal, Stopped
from orchestration.experiments.experiment import PlanBasis
from orchestration.experiments.program.files import Archive
from orchestration.experiments.program.study import ProgramStudy
from orchestration.jobs import chore
from orchestration.jobs.executor import Executor, HeadLostError
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
PRODUCTS = "products.tar"


def built(study: ProgramStudy, sources: Archive, basis: PlanBasis, cache: Path) -> Archive:
    """The archive with what the study's build commands make of it; the sources where it has none. Raises Refusal.

    What the same cluster made of the same sources by the same commands is not made again.
    """
    commands = study.program.build
    if not commands or basis.executor is None:
        return sources
    key = document_digest([sources.digest, commands, basis.inventory.cluster, basis.inventory.created_at])[:16]
    made, log = cache / f"build-{key}.json", cache / f"build-{key}.log"
    try:
        known = json.loads(made.read_text())
        archive = Archive(cache / f"{known['digest']}.tar", known["digest"], known["files"], log)
        if archive.path.exists():
            return archive
    except (OSError, ValueError, KeyError, TypeError):
        pass
    archive = replace(_build(commands, sources, basis, cache, key), log=log)
    write_json(made, {"schema_version": 1, "digest": archive.digest, "files": dict(archive.files)})
    return archive


def request(
    commands: Sequence[Sequence[str]], archive: PurePosixPath, basis: PlanBasis, executor: Executor, *, products: bool
) -> JobRequest:
    """The job of commands among the files of the archive, which lies on the head; `products`: pack what they make."""

    def program(folders: JobFolders) -> list[str]:
        words = isolated(basis.inventory.python, "-m", "workload.agent.commands", str(archive))
        return [*words, str(folders.session / "commands"), str(folders.job)]

    environment = basis.environment if basis.environment is not None else executor.site.environment
    document = {"schema_version": 1, "commands": commands, "products": products}
    starter = Starter(Direct.name, environment=environment)
    return JobRequest(Placement(1, 1, 1), TIMEOUT_S, program, {supervise.RUN: document}, starter=starter)


def _build(commands: list[list[str]], sources: Archive, basis: PlanBasis, cache: Path, key: str) -> Archive:
    executor, paths = basis.executor, SweepPaths(cache / basis.inventory.cluster)
    if executor is None:
        raise TypeError("nothing can be built where no node is to be asked")
    paths.jobs.mkdir(parents=True, exist_ok=True)
    job, target = paths.job(key), cache / f".{key}.tar"
    wanted = request(commands, executor.bring(sources.path), basis, executor, products=True)
    loop = job_loop(executor, basis.inventory, basis.cpus)
    try:
        status, said = chore.carry_out(loop, job, wanted, cache / f"build-{key}.log", (PRODUCTS, target))
    except (HeadLostError, OSError, ValueError) as error:
        raise Stopped(f"the program cannot be built: {error}") from error
    finally:
        shutil.rmtree(job, ignore_errors=True)
    if status != 0:
        raise Refusal(f"the build fails on the head: {said}")
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
