"""Barriers as an experiment: the one that the test of the recipe adds to a copy of the tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from pydantic import Field
from workload.record.barrier import KIND, MEASUREMENT_SHAPE, BarrierRun

from orchestration.errors import Refusal
from orchestration.experiments.experiment import PlanBasis
from orchestration.jobs.executor import Executor
from orchestration.jobs.job import MEASUREMENT, JobFolders, JobRequest
from orchestration.jobs.outcome import Reading
from orchestration.paths import SweepPaths
from orchestration.planning import plan, study
from orchestration.planning.study import LoadedStudy, Overrides, Series, StrictModel, Study, StudyFile
from workload.record.outcomes import OK, SKIPPED
from workload.record.schema import SchemaError, check_shape


class Barriers(StrictModel):
    """The table of the study."""

    count: int


class BarrierStudy(Study):
    """Series of barriers."""

    barrier: Barriers
    series: list[Series] = Field(min_length=1)


class Barrier:
    """MPI_Barrier over rank counts."""

    kind = KIND
    table = "barrier"
    flags = ()
    columns = ("count",)

    def improvised(self, overrides: Overrides) -> StudyFile | None:
        """No flags stand for a study."""
        return None

    def load(self, file: StudyFile, overrides: Overrides) -> LoadedStudy:
        """The checked study of a file. Raises Refusal."""
        document = study.override(file.document, overrides)
        return LoadedStudy(study.check(document, file.path.name, BarrierStudy), document, file.path.name)

    def plan(self, loaded: LoadedStudy, basis: PlanBasis) -> tuple[LoadedStudy, plan.Plan]:
        """A run for each rank count and launch. Raises Refusal."""
        found = loaded.study
        if not isinstance(found, BarrierStudy):
            raise Refusal(f"study {loaded.source} is not of barriers")
        points = [
            (found.launches, (series, ranks))
            for series in found.series
            for ranks in plan.rank_counts(series, basis.inventory.slots)
        ]
        names = [series.name for series in found.series]
        return loaded, plan.make_plan(
            found.seed, points, lambda launch, point: self._planned(found, *point, launch, basis), names
        )

    def _planned(
        self, found: BarrierStudy, series: Series, ranks: int, launch: int, basis: PlanBasis
    ) -> plan.PlannedRun:
        nodes, ranks_per_node = plan.spread(ranks, basis.inventory)
        workload = replace(basis.workload, kind=KIND)
        run = BarrierRun(found.barrier.count, ranks, nodes, ranks_per_node, found.threads, "none", launch, workload)
        allowed = basis.inventory.slots * (series.oversubscribe or 1)
        label = f"{run.count} barriers"
        return plan.PlannedRun(
            run, (series.name,), found.timeout_s, allowed, point=ranks, label=label, cells=(str(run.count),)
        )

    def request(
        self, planned: plan.PlannedRun, python: str, files: Sequence[PurePosixPath], paths: SweepPaths
    ) -> JobRequest:
        """The job of a run."""
        run = planned.run

        def program(folders: JobFolders) -> list[str]:
            words = [python, "-m", "mpi4py", "-m", "workload.barrier", str(run.as_dict()["count"]), run.run_id]
            return [*words, str(folders.job / MEASUREMENT), folders.job.name]

        return JobRequest(planned.placement, planned.timeout_s, program)

    def read(self, content: bytes | None, planned: plan.PlannedRun) -> Reading:
        """The measurement of this run; never raises."""
        try:
            document = json.loads(content or b"null")
            check_shape(document, MEASUREMENT_SHAPE, "the measurement")
        except (ValueError, RecursionError, SchemaError) as error:
            return Reading(None, missing=str(error))
        return Reading({**document, "run": planned.run.as_dict()})

    def keep(self, executor: Executor, job: Path, paths: SweepPaths) -> None:
        """Nothing else is left."""

    def forebears(self, loaded: LoadedStudy) -> None:
        """None: nothing foretells them."""

    def settled(self, _record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def told(self, record: Mapping[str, Any]) -> str:
        """The median of the barriers."""
        return f"barrier {median(record['barrier_s']):.3g} s"

    def as_planned(self, planned: plan.PlannedRun, outcome: str) -> bool:
        """True for ok and for skipped."""
        return outcome in (OK, SKIPPED)
