"""Preparing a sweep: the request of a person, the nodes of the cluster, and the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestration import experiments
from orchestration.checks.nodes import Wanted
from orchestration.checks.processors import mixed_processors
from orchestration.checks.shared_memory import no_single_copy
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.lifetime import too_late
from orchestration.clusters.registry import Clusters
from orchestration.errors import Refusal
from orchestration.executors.connect import connect
from orchestration.experiments import EXPERIMENTS
from orchestration.experiments.experiment import Experiment, PlanBasis
from orchestration.jobs.environment import outside_slurm
from orchestration.jobs.executor import Executor
from orchestration.jobs.loop import JobLoop, job_loop
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.planning import code_version
from orchestration.planning.cores import node_cpus
from orchestration.planning.plan import Plan, PlannedRun, skip_reason
from orchestration.planning.study import LoadedStudy, Overrides
from orchestration.sweep import extension, node_count, resume
from orchestration.sweep.extension import Goal, Look
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.locks import Turn
from orchestration.sweep.resume import NODE_LOST, Flags, Identity


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    cluster: str = "local"
    study: str | None = None
    out: Path | None = None
    new: bool = False
    flags: Flags = field(default_factory=Flags)
    overrides: Overrides = field(default_factory=Overrides)
    turn: Turn = field(default_factory=Turn)
    goal: Goal | None = None  # beyond the planned launches
    planned_nodes: int | None = None  # of the largest of the sweep's jobs, each of which has one node count's runs


@dataclass(frozen=True)
class Surroundings:
    """Everything from outside that a sweep uses: clusters, folders, clock, environment and experiments."""

    clusters: Clusters
    runs: RunsFolder
    utc_now: Callable[[], str]
    environment: Mapping[str, str]
    experiments: Sequence[Experiment] = EXPERIMENTS
    person: Mapping[str, str] = field(default_factory=dict)  # the environment whole, which a person's own program keeps
    remarks: Sequence[str] = ()  # lines on what of the person's machine is not used, for sweeps on it

    @property
    def root(self) -> Path:
        """The project's folder, absolute."""
        return self.clusters.root


@dataclass(frozen=True)
class Sweep:
    """A study, planned on a cluster, before any folder is made.

    `basis` is what its runs are made on; the plan may be for more nodes, as `request.planned_nodes` says.
    """

    surroundings: Surroundings
    request: Request
    experiment: Experiment
    loaded: LoadedStudy
    basis: PlanBasis
    plan: Plan
    executor: Executor
    identity: Identity

    @property
    def inventory(self) -> Inventory:
        """The cluster's."""
        return self.basis.inventory

    @property
    def machines(self) -> Sequence[Mapping[str, Any]]:
        """What the cluster's nodes say of themselves."""
        return self.basis.machines

    @property
    def loop(self) -> JobLoop:
        """What carries jobs through on the cluster."""
        return job_loop(self.executor, self.inventory, self.basis.cpus)

    def wanted(self, paths: SweepPaths) -> Wanted:
        """What the nodes are held against before the sweep in that folder."""
        saves = any(item.shares_folder for item in self.plan.runs)
        utc = self.surroundings.utc_now()
        ours = not all(item.brings_its_own for item in self.plan.runs)
        return Wanted(self.identity.workload, utc, runs=0, saves=saves, own=paths.token(""), ours=ours)

    def skip_reason(self, planned: PlannedRun) -> str | None:
        """Why the run is not to start; None where it is, or where a person forces it."""
        if expired := too_late(self.inventory.expires_at, self.surroundings.utc_now(), None):
            return expired
        if lost := self.executor.lost(planned.run.nodes):
            return f"{NODE_LOST}: {', '.join(lost)}"
        if self.request.flags.force:
            return None
        return skip_reason(planned, self.inventory, self.machines)

    def pending(self, paths: SweepPaths) -> list[PlannedRun]:
        """The runs of the plan that the folder still wants. Raises Refusal."""
        return resume.pending(self.runs(paths), resume.records(paths), self.request.flags, self.skip_reason)

    def runs(self, paths: SweepPaths) -> tuple[PlannedRun, ...]:
        """Those of the folder's sweep that are to be made here. Raises Refusal."""
        return tuple(filter(self.is_own, self.every_run(paths)))

    def every_run(self, paths: SweepPaths) -> tuple[PlannedRun, ...]:
        """The plan's, and those by which the folder's sweep was extended. Raises Refusal."""
        return extension.known_runs(self.plan, Ledger(paths.ledger).events())

    def is_own(self, planned: PlannedRun) -> bool:
        """Whether the run is this job's, where the sweep has one job for each number of nodes."""
        return self.request.planned_nodes is None or planned.run.nodes == len(self.inventory.nodes)

    def look(self, paths: SweepPaths) -> Look | None:
        """Whether the folder's points are precise enough, and what comes next; None without a goal. Raises Refusal."""
        goal = self.request.goal
        return None if goal is None else extension.look(goal, self.plan, paths, Ledger(paths.ledger).events())

    def _extendable(self, paths: SweepPaths) -> bool:
        """Whether a sweep that is over goes on with more launches: not on nodes that changed since."""
        planned = Ledger(paths.ledger).last("planned")
        if self.request.goal is None or planned is None or planned.get("facts") != self.identity.facts:
            return False
        look = self.look(paths)
        return look is not None and look.end != extension.PRECISE

    def find(self) -> SweepPaths | None:
        """The folder of the sweep that goes on; None where another is to be made. Raises Refusal."""
        out = self.request.out
        if out is None:
            runs = self.surroundings.runs
            if self.request.new:
                return None
            return resume.find(runs, self.identity, lambda paths: bool(self.pending(paths)), self._extendable)
        paths = SweepPaths(out.absolute())
        if not paths.ledger.exists():
            _refuse_foreign(paths.folder)
            return None
        if self.request.new:
            raise Refusal(f"--new, but {out} holds a sweep: give another --out")
        resume.check_unchanged(paths, self.identity)
        if self.request.planned_nodes is not None:
            node_count.check_same_runs(paths, self.plan.runs)
        return paths

    def rebooted(self, paths: SweepPaths) -> list[str]:
        """A line where nodes were started again since that sweep began."""
        names = resume.rebooted(paths, self.identity)
        line = f"{', '.join(names)} started again since: no speedup is formed across two boots (--new begins afresh)"
        return [line] if names else []

    def new_folder(self) -> SweepPaths:
        """The path of another sweep's folder."""
        if self.request.out is not None:
            return SweepPaths(self.request.out.absolute())
        name = f"{self.loaded.study.name}-{self.inventory.cluster}"
        return SweepPaths(self.surroundings.runs.unused(name, self.surroundings.utc_now()))


def prepare(request: Request, surroundings: Surroundings, machines: Sequence[Mapping[str, Any]] | None = None) -> Sweep:
    """Reads, checks and plans; makes nothing but files that several sweeps share. Raises Refusal.

    `machines` are the nodes as the sweep's folder knows them: then none is asked, and nothing pushed to any.
    """
    inventory = surroundings.clusters.find(request.cluster, surroundings.utc_now())
    request.turn.check(inventory)
    experiment, loaded = experiments.load(
        request.study, request.overrides, surroundings.experiments, inventory.default_study
    )
    workload = code_version.describe(surroundings.root)
    executor = connect(inventory, surroundings.environment)
    asked = machines is None
    if machines is None:
        executor.provide(surroundings.root, workload.digest)
        machines = executor.machines()
    elif len(machines) != len(inventory.nodes):
        raise Refusal(f"that sweep had {len(machines)} nodes, {inventory.cluster} has {len(inventory.nodes)}")
    every, every_machine = node_count.planned_nodes(request.planned_nodes, inventory, machines, request.out)
    basis = PlanBasis(
        every,
        every_machine,
        node_cpus(every_machine),
        workload,
        cache=surroundings.runs.folder.absolute(),
        executor=executor if asked else None,
        environment=None if inventory.executor == "ssh" else outside_slurm(surroundings.person),
    )
    loaded, plan = experiment.plan(loaded, basis)
    identity = Identity(
        study=resume.study_digest(loaded.document),
        cluster=inventory.cluster,
        workload=workload.digest,
        facts=resume.facts(_lasting(every_machine, every), _slots(every_machine, every)),
    )
    notes = (*_remarks(inventory, surroundings), *_of_machines(machines), *_no_scaling(every), *_shared(inventory))
    plan = replace(plan, notes=(*notes, *plan.notes))
    basis = replace(basis, inventory=inventory, machines=machines, cpus=node_cpus(machines))
    return Sweep(surroundings, request, experiment, loaded, basis, plan, executor, identity)


def _slots(machines: Sequence[Mapping[str, Any]], inventory: Inventory) -> list[int]:
    """Of each node; nodes that a sweep's folder knows stand in another order than the inventory's."""
    return [int(item.get("slots", node.slots)) for item, node in zip(machines, inventory.nodes, strict=True)]


def _lasting(machines: Sequence[Mapping[str, Any]], inventory: Inventory) -> Sequence[Mapping[str, Any]]:
    """The nodes by what must not change; another Slurm job has others, which need only be of the same kind."""
    if inventory.slurm is None:
        return machines
    return resume.interchangeable(machines, inventory.slurm.partition)


def _remarks(inventory: Inventory, surroundings: Surroundings) -> Sequence[str]:
    """Lines on what the runs do not get of this machine's environment; other nodes have their own."""
    return surroundings.remarks if inventory.is_this_machine else ()


def _no_scaling(inventory: Inventory) -> tuple[str, ...]:
    """The line that says that a cluster of one slot shows no scaling."""
    if inventory.slots > 1:
        return ()
    return ("one slot: there is no scaling to measure here, only what one rank does (more ranks would share its core)",)


def _shared(inventory: Inventory) -> tuple[str, ...]:
    """The line that says that other jobs of Slurm's may disturb the runs."""
    if inventory.slurm is None or not inventory.slurm.shared:
        return ()
    return ("shared nodes: other jobs of Slurm's may run on them, and take time of every run, which is marked",)


def _of_machines(machines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Lines on nodes that differ in their processors, and on those where messages are copied twice."""
    words = mixed_processors({str(machine["node"]): str(machine["cpu_model"]) for machine in machines})
    mixed = f"mixed processors ({words}): runs whose ranks are on several kinds are marked" if words else ""
    return tuple(line for line in (mixed, no_single_copy(machines)) if line)


def _refuse_foreign(folder: Path) -> None:
    """Raises Refusal where the folder holds files of something else."""
    try:
        holds = folder.exists() and any(path.name not in (".lease", "submitted") for path in folder.iterdir())
    except OSError as error:
        raise Refusal(f"--out {folder} cannot be read ({error.strerror}): give another --out") from error
    if holds:
        raise Refusal(f"--out {folder} holds files, but no sweep's: give an empty or a new folder")
