"""The Experiment protocol: what a sweep needs to know about what it runs. experiments/__init__.py is the register."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from orchestration.clusters.inventory import Inventory
from orchestration.jobs.executor import Executor
from orchestration.jobs.job import JobRequest
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.jobs.outcome import Reading
from orchestration.paths import SweepPaths
from orchestration.planning.plan import Plan, PlannedRun
from orchestration.planning.study import LoadedStudy, Overrides, StudyFile
from workload.record.run import Workload


@dataclass(frozen=True)
class PlanBasis:
    """What a plan is made for: the cluster, the descriptions of its nodes, and the version of our code.

    `cache` is a folder of the operator's for files that several sweeps share.
    """

    inventory: Inventory
    machines: Sequence[Mapping[str, Any]]
    cpus: NodeCpus
    workload: Workload
    cache: Path
    executor: Executor | None = None  # None: no node is to be asked
    environment: Mapping[str, str] | None = None  # the person's own, where the only node is this machine


class Experiment(Protocol):
    """How runs are planned from a study, started on ranks, and read."""

    @property
    def kind(self) -> str:
        """The `workload.kind` of its records, which workload/record/kinds.py has a shape for."""
        ...

    @property
    def table(self) -> str:
        """The table that makes a study one of this experiment, for example `problem`."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """The keys of an Overrides' `values` that it knows, as the command line has them."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what a planned run's `cells` hold, for `fab sweep --dry-run`."""
        ...

    def improvised(self, overrides: Overrides) -> StudyFile | None:
        """The study that flags alone stand for; None where they do not. Raises Refusal."""
        ...

    def load(self, file: StudyFile, overrides: Overrides) -> LoadedStudy:
        """The checked study of a file, with the command line's overrides. Raises Refusal."""
        ...

    def plan(self, loaded: LoadedStudy, basis: PlanBasis) -> tuple[LoadedStudy, Plan]:
        """The runs of the study on the cluster, and the study as it is carried out there. Raises Refusal."""
        ...

    def request(
        self, planned: PlannedRun, python: str, files: Sequence[PurePosixPath], paths: SweepPaths
    ) -> JobRequest:
        """The job of a run; `files` are where the run's files lie on every node, `python` is the nodes' own."""
        ...

    def read(self, content: bytes | None, planned: PlannedRun) -> Reading:
        """What a run measured, from the file that it left; never raises."""
        ...

    def keep(self, executor: Executor, job: Path, paths: SweepPaths) -> None:
        """Brings home what else the run left, where it belongs into the sweep's folder. Raises OSError."""
        ...

    def forebears(self, loaded: LoadedStudy) -> Callable[[Mapping[str, Any]], bool] | None:
        """Tells the documents of studies from whose sweeps this one's times are forecast, by a law that fits them.

        None where the cluster's probe foretells the times, or nothing does.
        """
        ...

    def settled(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an ok run found out for the further launches of its point: their `settled`. Empty for nothing."""
        ...

    def told(self, record: Mapping[str, Any]) -> str:
        """What an ok run measured in a few words, for example `forward 0.05 s`."""
        ...

    def as_planned(self, planned: PlannedRun, outcome: str) -> bool:
        """True where a run that ended so is no failure of the sweep."""
        ...
