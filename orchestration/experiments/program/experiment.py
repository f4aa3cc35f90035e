"""A person's own MPI program as an experiment: what `[program]` of a study says, or `fab sweep --command`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.errors import Refusal
from orchestration.experiments.experiment import PlanBasis
from orchestration.experiments.program import environment, files, head, mpi, plan, study
from orchestration.experiments.program.files import Archive
from orchestration.experiments.program.flags import FLAGS
from orchestration.experiments.program.mpi import Started
from orchestration.experiments.program.plan import ProgramPlan
from orchestration.experiments.program.study import ProgramStudy
from orchestration.jobs import launchers
from orchestration.jobs.executor import Executor
from orchestration.jobs.job import MEASUREMENT, JobFolders, JobRequest, Starter
from orchestration.jobs.launchers.launcher import KilledRank
from orchestration.jobs.outcome import Reading
from orchestration.paths import SweepPaths
from orchestration.planning.code_version import git_state
from orchestration.planning.plan import Plan, PlannedRun
from orchestration.planning.study import LoadedStudy, Overrides, StudyFile
from orchestration.python import isolated
from workload.agent import supervise
from workload.record.outcomes import OK, SKIPPED
from workload.record.program import KIND, MEASUREMENT_SHAPE, VERSION, WALL, ProgramRun
from workload.record.run import Workload
from workload.record.schema import SCHEMA_VERSION, SchemaError, check_shape, check_version

LIMIT_BYTES = 2**28
ENDED_BY_LAUNCHER = (2, 15)  # SIGINT, SIGTERM: what the other ranks are ended by
RANK_PARENT = "workload/agent/rank_parent.py"


@dataclass(frozen=True)
class ProgramExperiment:
    """A person's own program. `folder` is where flags look for it: where the person stands."""

    folder: Path = Path()

    kind = KIND
    table = study.TABLE
    flags = FLAGS
    columns = ("command", "size")

    def improvised(self, overrides: Overrides) -> StudyFile | None:
        """The study that `--command` stands for; None without it. Raises Refusal."""
        return study.improvised(overrides, self.folder.absolute())

    def load(self, file: StudyFile, overrides: Overrides) -> LoadedStudy:
        """The checked study of a file, with the command line's overrides. Raises Refusal."""
        return study.load(file, overrides)

    def plan(self, loaded: LoadedStudy, basis: PlanBasis) -> tuple[LoadedStudy, Plan]:
        """The runs of the study on the cluster; builds and packs the program, and asks the nodes about it.

        Where no node is to be asked, what the study's own sweep found out holds. Raises Refusal.
        """
        found = _checked(loaded)
        program, folder = found.program, Path(found.program.folder)
        templates = plan.template_texts(folder, program.templates)
        try:
            plan.check_placeholders(found, templates)
        except ValueError as error:
            raise Refusal(f"study {loaded.source}: {error}") from error
        cache = basis.cache / ".programs"
        if basis.executor is None and program.resolved:
            known = program.resolved
            archive = Archive(cache / f"{known['files']}.tar", known["files"], {})
            started = Started(known["mpi"], PurePosixPath(known["launcher"]) if known["launcher"] else None, "")
            provenance: Mapping[str, Any] = {}
        else:
            archive = _archive(found, folder, cache)
            archive = head.built(found, archive, basis, cache)
            started, provenance = _started(found, archive, basis)
            document = {**loaded.document, study.TABLE: {**loaded.document[study.TABLE], "resolved": {
                "files": archive.digest, "mpi": started.launcher, "launcher": str(started.path or ""),
            }}}  # fmt: skip
            loaded = LoadedStudy(study.check(document, loaded.source), document, loaded.source)
        context = plan.PlanContext(
            inventory=basis.inventory,
            cpus=basis.cpus,
            machines=tuple(basis.machines),
            archive=archive,
            templates=templates,
            render=lambda texts: files.pack_texts(texts, cache),
            launcher=started.launcher,
            launcher_path=None if started.path is None else str(started.path),
            environment=_environment(started, basis),
            provenance=provenance,
            workload=_source(folder, basis.workload),
        )
        return loaded, _surrounded(plan.make(found, loaded.source, context), found, archive, basis)

    def request(
        self, planned: PlannedRun, python: str, files: Sequence[PurePosixPath], paths: SweepPaths
    ) -> JobRequest:
        """The job of a run: the launcher, carried through by workload.agent.program, and a parent for each rank."""
        item = _planned(planned)
        run = _run(item)

        def ranks(folders: JobFolders) -> list[str]:
            words = [python, "-I", "-S", str(folders.workdir / RANK_PARENT)]
            words += ["--token", folders.job.name, "--folder", str(folders.session / "run")]
            words += [word for file in files for word in ("--unpack", str(file))]
            words += [word for name, value in _set(item, run).items() for word in ("--set", f"{name}={value}")]
            words += ["--stdin", run.stdin] if run.stdin else []
            return [*words, "--", *(item.provenance or {})["argv"]]

        def carrier(folders: JobFolders) -> list[str]:
            module = isolated(python, "-m", "workload.agent.program")
            return [*module, str(folders.job), str(folders.session / "run"), "--"]

        document = {
            "schema_version": SCHEMA_VERSION,
            "run_id": run.run_id,
            "run": run.as_dict(),
            "machines": list(item.machines),
            "provenance": dict(item.provenance or {}),
        }
        path = None if item.launcher_path is None else PurePosixPath(item.launcher_path)
        starter = Starter(run.launcher, path, item.environment, carrier)
        return JobRequest(item.placement, item.timeout_s, ranks, {supervise.RUN: document}, starter=starter)

    def read(self, content: bytes | None, planned: PlannedRun) -> Reading:
        """The measurement, proved to be this run's, with what is missing of it and what is wrong."""
        run = _run(_planned(planned))
        try:
            document = _measurement(content, run)
        except (SchemaError, ValueError, RecursionError) as error:
            return Reading(None, missing=str(error))
        check = document["check"]
        missing = "; ".join(check["missing"])
        if len(document["ranks"]) < run.ranks:
            missing = f"{len(document['ranks'])} of {run.ranks} ranks said what they took"
        killed = next(
            (
                KilledRank(item["rank"], item["node"], item["signal"])
                for item in document["ranks"]
                if item["signal"] and item["signal"] not in ENDED_BY_LAUNCHER
            ),
            None,
        )
        expected = int(run.success.get("exit_status", 0))
        return Reading(
            document, wrong="; ".join(check["wrong"]), no_metric=missing, exit_status=expected, killed=killed
        )

    def keep(self, executor: Executor, job: Path, paths: SweepPaths) -> None:
        """The outputs that the study keeps, into the sweep's folder `kept/<run id>`. Raises OSError."""
        try:
            document = json.loads(executor.fetch(job, MEASUREMENT, LIMIT_BYTES) or b"{}")
            names = [str(item["name"]) for item in document.get("kept", [])]
            run_id = str(document.get("run_id", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        for index, name in enumerate(names):
            target = paths.kept(run_id) / name
            if not target.resolve().is_relative_to(paths.kept(run_id).resolve()):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            executor.fetch_file(job, f"kept-{index}", target)

    def forebears(self, loaded: LoadedStudy) -> Callable[[Mapping[str, Any]], bool]:
        """The studies of the same command."""
        command = _checked(loaded).program.command

        def same(document: Mapping[str, Any]) -> bool:
            given = document.get(study.TABLE, {}).get("command")
            return command == (shlex.split(given) if isinstance(given, str) else given)

        return same

    def settled(self, _record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def told(self, record: Mapping[str, Any]) -> str:
        """The headline with its unit."""
        headline = next((metric for metric in record["run"]["metrics"] if metric["headline"]), None)
        if headline is None:
            return f"{WALL} {max(rank['wall_s'] for rank in record['ranks']):.4g} s"
        value = next(item["value"] for item in record["metrics"] if item["name"] == headline["name"])
        return f"{headline['name']} {value:.4g} {headline['unit']}".rstrip()

    def as_planned(self, planned: PlannedRun, outcome: str) -> bool:
        """True for ok and for skipped."""
        return outcome in (OK, SKIPPED)


def _checked(loaded: LoadedStudy) -> ProgramStudy:
    if not isinstance(loaded.study, ProgramStudy):
        raise TypeError(f"study {loaded.source} is none of a program")
    return loaded.study


def _planned(planned: PlannedRun) -> ProgramPlan:
    if not isinstance(planned, ProgramPlan):
        raise TypeError(f"run {planned.run.run_id} is none of a program")
    return planned


def _run(planned: ProgramPlan) -> ProgramRun:
    if not isinstance(planned.run, ProgramRun):
        raise TypeError(f"run {planned.run.run_id} is none of a program")
    return planned.run


def _archive(found: ProgramStudy, folder: Path, cache: Path) -> Archive:
    """What is brought to the nodes before anything is built of it."""
    program = found.program
    names = program.files if program.files is not None else files.named_files(folder, program.command)
    names = [*names, *([program.stdin] if program.stdin and program.stdin not in program.templates else [])]
    return files.pack(folder, [name for name in names if name not in program.templates], cache, large=program.large)


def _surrounded(made: Plan, found: ProgramStudy, archive: Archive, basis: PlanBasis) -> Plan:
    """The plan with what is done on the head before and after its runs."""
    executor, logs = basis.executor, {} if archive.log is None else {"build": archive.log}
    if executor is None:
        return made

    def chore(commands: list[list[str]]) -> JobRequest | None:
        path = executor.bring(archive.path)
        return head.request(commands, path, basis, executor, products=False) if commands else None

    return replace(made, setup=chore(found.program.setup), cleanup=chore(found.program.cleanup), logs=logs)


def _started(found: ProgramStudy, archive: Archive, basis: PlanBasis) -> tuple[Started, dict[str, Any]]:
    """How the program is started, and what is known of where it came from."""
    program = found.program
    if basis.executor is None:
        name = program.mpi or launchers.DEFAULT
        return Started(name, None, name), {}
    words = [basis.inventory.python if word == "{python}" else word for word in program.command[:2]]
    path = basis.executor.bring(archive.path)
    answers = basis.executor.ask("workload.agent.linked", [str(path), "--", *words], basis.environment)
    # of a sweep in several Slurm jobs, the plan may have more nodes than this job, which come last
    names = [node.name for node in basis.inventory.nodes][: len(answers)]
    started = mpi.settle(program.command[0], program.mpi, names, answers)
    libraries = {
        name: answer["libraries"] for name, answer in zip(names, answers, strict=True) if isinstance(answer, dict)
    }
    kept = environment.recorded({**(basis.environment or {}), **program.environment})
    return started, {"files": dict(archive.files), "libraries": libraries, "environment": kept, "mpi": started.words}


def _environment(started: Started, basis: PlanBasis) -> dict[str, str] | None:
    """The launcher's environment; None for the executor's own, where no node is to be asked."""
    prefix = PurePosixPath(basis.inventory.python).parents[1]
    if basis.executor is None:
        return None
    if basis.environment is not None:
        return environment.job_environment(basis.environment, started.launcher, prefix)
    return environment.node_environment(basis.executor.site.environment, started.launcher, prefix)


def _set(item: ProgramPlan, run: ProgramRun) -> dict[str, str]:
    """The rank's variables on top of what the launcher gave it."""
    home = (item.environment or {}).get("HOME")
    threads = dict.fromkeys(("OMP_NUM_THREADS",), str(run.threads))
    return {**({"HOME": home} if home else {}), **threads, **run.environment}


def _source(folder: Path, ours: Workload) -> Workload:
    """The commit of the program's folder, where git knows it, beside the digest of our own code."""
    commit, dirty = git_state(folder)
    return Workload(KIND, ours.digest, commit, dirty)


def _measurement(content: bytes | None, run: ProgramRun) -> Mapping[str, Any]:
    """The measurement that a run left. Raises SchemaError: none, cut short, another run's, or of another shape."""
    if content is None:
        raise SchemaError("the run left no measurement")
    document = json.loads(content)
    if not isinstance(document, dict):
        raise SchemaError("the measurement is no JSON object")
    check_version(document, "the measurement", VERSION)
    if document.get("run_id") != run.run_id:
        raise SchemaError(f"the measurement is of run {str(document.get('run_id'))[:40]}, not of {run.run_id}")
    check_shape(document, MEASUREMENT_SHAPE, "the measurement")
    if not document["ranks"]:
        raise SchemaError("; ".join(document["check"]["wrong"]) or "no rank said how it ended")
    return document
