"""The convolution as an experiment: `python -m mpi4py -m workload` on every rank."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from orchestration.errors import Refusal
from orchestration.experiments.convolution import images, plan, study
from orchestration.experiments.convolution.study import ConvolutionStudy
from orchestration.experiments.experiment import PlanBasis
from orchestration.jobs.executor import Executor
from orchestration.jobs.job import MEASUREMENT, JobFolders, JobRequest
from orchestration.jobs.outcome import Reading
from orchestration.paths import SweepPaths
from orchestration.planning.plan import Plan, PlannedRun
from orchestration.planning.study import LoadedStudy, Overrides, StudyFile
from orchestration.python import isolated
from workload.agent import supervise
from workload.domain import backends
from workload.movement import descriptions as movements
from workload.record.outcomes import OK, SKIPPED, WRONG_ANSWER
from workload.record.run import Run
from workload.record.schema import MEASUREMENT_SHAPE, SCHEMA_VERSION, SchemaError, check_shape, check_version

PREVIEW = "preview.npz"
SAVED = "saved"


@dataclass(frozen=True)
class Convolution:
    """Equation 1 on ranks; `program` is what follows `python -m mpi4py`."""

    program: Sequence[str] = ("-m", "workload")

    kind = "convolution"
    table = "problem"
    flags = study.FLAGS
    columns = ("batch", "movement", "backend")

    def improvised(self, overrides: Overrides) -> StudyFile | None:
        """None: without a study the cluster's own is carried out."""
        return None

    def load(self, file: StudyFile, overrides: Overrides) -> LoadedStudy:
        """The checked study of a file, with the command line's overrides. Raises Refusal."""
        return study.load(file, overrides)

    def plan(self, loaded: LoadedStudy, basis: PlanBasis) -> tuple[LoadedStudy, Plan]:
        """The runs of the study on the cluster; makes the pools of pictures that they need. Raises Refusal."""
        loaded, notes = _usable(loaded, basis.machines)
        pools = images.Pools(basis.cache / ".images")
        context = plan.ConvolutionContext(basis.inventory, basis.cpus, pools.get, basis.workload)
        try:
            made = plan.make(_checked(loaded), loaded.source, context)
        except OSError as error:
            raise Refusal(f"{error.filename}: the pictures cannot be prepared ({error.strerror})") from error
        return loaded, replace(made, notes=(*notes, *made.notes))

    def request(
        self, planned: PlannedRun, python: str, files: Sequence[PurePosixPath], paths: SweepPaths
    ) -> JobRequest:
        """The job of a run. The first run of a sweep also saves one input and one output picture."""
        run = _run(planned)
        first = not paths.picture("input").exists()

        def program(folders: JobFolders) -> list[str]:
            folder = folders.job
            words = isolated(python, "-m", "mpi4py", *self.program, "--run", str(folder / supervise.RUN))
            words += ["--record", str(folder / MEASUREMENT), "--images", str(files[0])]
            words += ["--save-to", str(folder / SAVED)] if run.save else []
            return words + (["--preview", str(folder / PREVIEW)] if first else [])

        document = {"schema_version": SCHEMA_VERSION, "run_id": run.run_id, "run": run.as_dict(), **planned.settled}
        folders = (SAVED,) if run.save else ()
        return JobRequest(planned.placement, planned.timeout_s, program, {supervise.RUN: document}, folders)

    def read(self, content: bytes | None, planned: PlannedRun) -> Reading:
        """The measurement, if it is valid and this run's, and what its check found."""
        try:
            document = _measurement(content, _run(planned))
        except (SchemaError, ValueError, RecursionError) as error:
            return Reading(None, missing=str(error))
        return Reading(document, wrong="" if document["check"]["passed"] else _wrong(document["check"]))

    def keep(self, executor: Executor, job: Path, paths: SweepPaths) -> None:
        """Figure 2's two pictures, where the run left them and the sweep has none yet. A damaged preview is none."""
        if paths.picture("input").exists():
            return
        try:
            content = executor.fetch(job, PREVIEW, images.MAX_PREVIEW_BYTES)
            arrays = images.read_preview(content) if content is not None else {}
        except ValueError:
            return
        for name in ("output", "input"):  # the input last: it says that both are there
            if name in arrays:
                partial = paths.pictures / f".{name}.partial"
                partial.write_bytes(images.png(arrays[name]))
                partial.replace(paths.picture(name))

    def forebears(self, loaded: LoadedStudy) -> None:
        """None: a probe foretells the times."""

    def settled(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """By which stores y is written, where the backend has several."""
        several = len(backends.describe(record["run"]["backend"]).stores) > 1
        return {"stores": record["stores"]} if several and "stores" in record else {}

    def told(self, record: Mapping[str, Any]) -> str:
        """The median forward time of the repeats."""
        return f"forward {median(repeat['forward_s'] for repeat in record['repeats']):.4g} s"

    def as_planned(self, planned: PlannedRun, outcome: str) -> bool:
        """True for ok, for skipped, and for the wrong answer of a movement that is wrong on purpose."""
        wrong_on_purpose = movements.describe(_run(planned).movement).wrong_on_purpose
        return outcome in (OK, SKIPPED) or (outcome == WRONG_ANSWER and wrong_on_purpose)


def _run(planned: PlannedRun) -> Run:
    if not isinstance(planned.run, Run):
        raise TypeError(f"run {planned.run.run_id} is none of the convolution's")
    return planned.run


def _checked(loaded: LoadedStudy) -> ConvolutionStudy:
    if not isinstance(loaded.study, ConvolutionStudy):
        raise TypeError(f"study {loaded.source} is none of the convolution's")
    return loaded.study


def _usable(loaded: LoadedStudy, machines: Sequence[Mapping[str, Any]]) -> tuple[LoadedStudy, tuple[str, ...]]:
    """The study as the machines can run it, and the line that says what was replaced.

    Raises Refusal where it computes on GPUs and a machine cannot.
    """
    if of_gpu := study.backends(_checked(loaded)) & set(backends.names_on_gpu()):
        _refuse_without_gpu(sorted(of_gpu), machines)
    reasons = [str(machine["simd"]) for machine in machines if str(machine.get("simd", "")).startswith("none: ")]
    if not reasons or "simd" not in study.backends(_checked(loaded)):
        return loaded, ()
    return study.without_simd(loaded), (f"backend numpy in place of simd ({reasons[0].removeprefix('none: ')})",)


def _refuse_without_gpu(names: Sequence[str], machines: Sequence[Mapping[str, Any]]) -> None:
    for machine in machines:
        said = str(machine.get("cuda", ""))
        if said.startswith("none: "):
            raise Refusal(f"backend {', '.join(names)}: {machine['node']} has {said.removeprefix('none: ')}")


def _measurement(content: bytes | None, run: Run) -> Mapping[str, Any]:
    """The measurement of a run. Raises SchemaError if it is missing, truncated, another run's or of another shape."""
    if content is None:
        raise SchemaError("the run left no measurement")
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"the measurement is not whole JSON ({error})") from error
    if not isinstance(document, dict):
        raise SchemaError("the measurement is no JSON object")
    check_version(document, "the measurement")
    if document.get("run_id") != run.run_id:
        raise SchemaError(f"the measurement is of run {str(document.get('run_id'))[:40]}, not of {run.run_id}")
    check_shape(document, MEASUREMENT_SHAPE, "the measurement")
    if Run.from_dict(document["run"]).run_id != run.run_id:
        raise SchemaError("the measurement holds another run than its id says")
    if not document["repeats"]:
        raise SchemaError("the measurement holds no repeat")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _wrong(check: Mapping[str, Any]) -> str:
    worst = check["worst_error_over_tolerance"]
    return (
        f"the answer is wrong: the worst row's error is {worst:.3g} times its tolerance"
        if worst
        else "the answer is wrong"
    )
