"""Carrying out a sweep: one run after the other, each leaving a record whatever happens."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestration.checks import preflight
from orchestration.clusters.lifetime import too_late
from orchestration.errors import Refusal, Stopped
from orchestration.jobs import chore, launchers
from orchestration.jobs.executor import HeadLostError, State
from orchestration.jobs.job import JobRequest
from orchestration.paths import SweepPaths
from orchestration.planning.cores import fewest_cores
from orchestration.planning.plan import PlannedRun
from orchestration.sweep import extension, node_count, resume
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.locks import Joiners, held, locked
from orchestration.sweep.prepare import Sweep
from orchestration.sweep.progress import Progress
from orchestration.sweep.recorder import Recorder
from workload.record.files import write_json
from workload.record.kinds import read_record
from workload.record.outcomes import OK
from workload.record.token import is_token

SETUP, CLEANUP = "setup", "cleanup"
SETTLED = "settled"  # by a run, for the further launches of its point
CHORES = {SETUP: "5e70900000000000", CLEANUP: "c1ea900000000000"}  # in the place of a run's id, as tokens have it
INTERRUPTED = "interrupted: no rank is left; the same command (without --new) goes on where this stopped"


@dataclass(frozen=True)
class Result:
    """How many runs of a plan ended how, and whether all ended as planned."""

    counts: Counter[str]
    as_planned: bool


@dataclass(frozen=True)
class LedgerExtras:
    """What goes into the ledger beside the runs.

    `forecast`: what is forecast of runs, written before the first of them starts. `canary`: what the nodes answer
    to a fixed kernel, asked before each launch's block of runs and after the last; it raises Stopped.
    """

    forecast: Callable[[Sequence[PlannedRun]], Mapping[str, Any] | None] | None = None
    canary: Callable[[SweepPaths], Mapping[str, Any]] | None = None


@dataclass
class SweepRunner:
    """Carries out a sweep in its folder. The caller holds that; `still_ours` raises Stopped where it no longer does."""

    sweep: Sweep
    paths: SweepPaths
    progress: Progress
    extras: LedgerExtras = field(default_factory=LedgerExtras)
    beside: str = ""  # in words, the sweep that is at work on this machine too
    still_ours: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.paths.ledger)
        self.utc_now = self.sweep.surroundings.utc_now
        self.recorder = Recorder(self.paths, self.sweep)
        self.loop = self.sweep.loop
        self.joiners = Joiners(self.sweep.executor.lease)
        self._settled: dict[Hashable, Mapping[str, Any]] = {}

    def carry_out(self) -> Result:
        """Carries out what is pending; returns how the plan's runs ended. Raises Refusal, Stopped, OSError."""
        self._begin()
        self._begin_launches_anew()
        self._settled = self._settled_before()
        self._settle_left_over()
        if self.beside:
            self.ledger.append("beside", self.utc_now(), sweep=self.beside)
        pending = self._adopted_first(self.sweep.pending(self.paths))
        try:
            self._runs(pending)
        except BaseException:
            with suppress(Stopped):  # what ended the sweep is what a person is to read
                self._clean_up()
            raise
        self._finish()
        self._clean_up()
        return self._result(self.sweep.runs(self.paths))

    def _runs(self, pending: Sequence[PlannedRun]) -> None:
        """What is pending, and block after block by which the sweep is extended."""
        with self.progress.shown(pending, self.sweep.experiment):
            if self._carry_out(pending) + sum(self._carry_out(block) for block in self._further()):
                self._canary("after the last run")

    def _finish(self) -> None:
        """Writes that the sweep is finished, unless runs of it are left to its other jobs."""
        runs, done = self.sweep.every_run(self.paths), resume.records(self.paths)
        if all(item.run.run_id in done for item in runs):
            self.ledger.append("finished", self.utc_now(), outcomes=dict(self._result(runs).counts))

    def _result(self, runs: Sequence[PlannedRun]) -> Result:
        done = resume.records(self.paths)
        counts = Counter(str(done[item.run.run_id]["outcome"]) for item in runs)
        return Result(counts, all(self._as_planned(item, done[item.run.run_id]) for item in runs))

    def _set_up(self, pending: Sequence[PlannedRun]) -> None:
        """Carries out the plan's setup, unless a lost `fab` did. Raises Refusal with its last lines, Stopped."""
        plan, last = self.sweep.plan, self._last_chore()
        if not pending or (plan.setup is None and plan.cleanup is None) or last == (SETUP, 0):
            return
        if plan.setup is None:
            self.ledger.append(SETUP, self.utc_now(), exit_status=0)
            return
        status, said = self._chore(SETUP, plan.setup)
        if status != 0:
            raise Refusal(f"the setup fails on the head, so no run was started: {said}")

    def _clean_up(self) -> None:
        """Carries out the plan's cleanup after a setup, whatever became of that. Raises Stopped with its last lines."""
        if self.sweep.plan.cleanup is None or self._last_chore()[0] != SETUP:
            return
        status, said = self._chore(CLEANUP, self.sweep.plan.cleanup)
        if status != 0:
            raise Stopped(f"the cleanup fails on the head: {said}; what was recorded stands, 'fab report' shows it")

    def _last_chore(self) -> tuple[str, int | None]:
        """Which of setup and cleanup was begun last, and how it ended; None where that is not known."""
        events = [event for event in self.ledger.events() if event["event"] in CHORES]
        return (str(events[-1]["event"]), events[-1].get("exit_status")) if events else ("", None)

    def _chore(self, name: str, request: JobRequest) -> tuple[int | None, str]:
        """Exit status and last lines of a job on the head, whose log is kept. Raises Stopped."""
        self.ledger.append(name, self.utc_now(), exit_status=None)
        try:
            status, said = chore.carry_out(self.loop, self.paths.job(CHORES[name]), request, self.paths.log(name))
        except (HeadLostError, OSError, ValueError) as error:
            raise Stopped(f"the {name} cannot be carried out: {error}") from error
        except KeyboardInterrupt:
            self.ledger.append("interrupted", self.utc_now(), chore=name)
            raise Stopped(INTERRUPTED) from None
        self.ledger.append(name, self.utc_now(), exit_status=status)
        return status, said

    def _carry_out(self, runs: Sequence[PlannedRun]) -> int:
        """The runs one after the other; returns their number."""
        self._set_up(runs)
        launch: int | None = None
        late: str | None = None
        for planned in runs:
            # an adopted run may be at work: nothing beside it
            if planned.run.launch != launch and not self.paths.job(planned.run.run_id).exists():
                begun, launch = launch is not None, planned.run.launch
                late = self._block_too_late([item for item in runs if item.run.launch == launch]) if begun else None
                if late is None:
                    self._canary(f"before launch {launch + 1}")
            self._one(planned, late)
        return len(runs)

    def _block_too_late(self, block: Sequence[PlannedRun]) -> str | None:
        """Why a launch's runs must not start in this Slurm job: the next one may have other nodes for the rest of them.

        Not asked for the first that a job makes: one that takes longer than any job would never be made.
        """
        if self.sweep.inventory.slurm is None:
            return None
        takes_s, what = self.progress.expected_s(*block), f"the runs of launch {block[0].run.launch + 1} take"
        return too_late(self.sweep.inventory.expires_at, self.utc_now(), takes_s, what)

    def _further(self) -> Iterator[Sequence[PlannedRun]]:
        """Block after block of runs until the points are as precise as they are to be, or a limit ends it."""
        while (look := self.sweep.look(self.paths)) is not None:
            self.ledger.append(extension.LOOK, self.utc_now(), **look.event)
            self.progress.looked(look.told, look.judgement.worst, look.block)
            if not look.block:
                return
            runs = [item.run.run_id for item in look.block]
            self.ledger.append(extension.EXTENDED, self.utc_now(), launch=look.block[0].run.launch, runs=runs)
            self._foretell(look.block)
            yield look.block

    def _foretell(self, runs: Sequence[PlannedRun]) -> None:
        """Writes the forecast of runs, where there is one."""
        if self.extras.forecast is not None and (forecast := self.extras.forecast(runs)) is not None:
            self.ledger.append("forecast", self.utc_now(), **forecast)

    def _as_planned(self, planned: PlannedRun, record: Mapping[str, Any]) -> bool:
        """False for a failure, and for a run that was skipped because a node was lost before it."""
        lost = str(record["reason"]).startswith(resume.NODE_LOST)
        return not lost and self.sweep.experiment.as_planned(planned, str(record["outcome"]))

    def _begin(self) -> None:
        """Writes what the folder says of itself, once."""
        if self.ledger.last("planned") is not None:
            self.ledger.append("resumed", self.utc_now(), pid=os.getpid())
            return
        self.paths.study.write_text(self.sweep.loaded.text(), encoding="utf-8")
        for name, log in self.sweep.plan.logs.items():
            if log.exists():
                shutil.copyfile(log, self.paths.log(name))
        write_json(self.paths.inventory, self.sweep.inventory.model_dump(mode="json"))
        runs = [item.run.run_id for item in self.sweep.plan.runs]
        values = {**self.sweep.identity.event(), "runs": runs, "notes": list(self.sweep.plan.notes)}
        if self.sweep.request.planned_nodes is not None:
            values["jobs"] = node_count.by_node_count(self.sweep.plan.runs)
        self.ledger.append("planned", self.utc_now(), pid=os.getpid(), **values)
        self._foretell(self.sweep.plan.runs)

    def _begin_launches_anew(self) -> None:
        """Sets aside what another Slurm job made of a launch that it did not finish.

        A launch's runs are compared with each other, and this job may have other nodes. Raises Stopped where this job
        is too short for the launch.
        """
        slurm, expires_at = self.sweep.inventory.slurm, self.sweep.inventory.expires_at
        if slurm is None:
            return
        events, done = self.ledger.events(), resume.records(self.paths)
        took_s = dict(extension.durations_s(events))
        found = resume.broken_off(self.sweep.runs(self.paths), done, slurm.of_record)
        for launch, block in found.items():
            known_s = [took_s[item.run.run_id] for item in block if item.run.run_id in took_s]
            takes_s = len(block) * sum(known_s) / len(known_s) if known_s else None
            if why := too_late(expires_at, self.utc_now(), takes_s, f"launch {launch} takes"):
                self.ledger.append("interrupted", self.utc_now(), reason=why)
                raise Stopped(f"{why}, and one job makes all runs of a launch: ask for more time (--time)")
            runs = [item.run.run_id for item in block if item.run.run_id in done]
            self.ledger.append(resume.ANEW, self.utc_now(), launch=launch, runs=runs)
        for run_id in resume.set_aside(self.ledger.events()):
            self.recorder.set_aside(run_id)

    def _canary(self, when: str) -> None:
        """Asks the canary; where it fails the ledger says so and the sweep goes on. Raises Stopped on Ctrl-C."""
        if self.extras.canary is None or too_late(self.sweep.inventory.expires_at, self.utc_now(), None):
            return
        try:
            found = dict(self.extras.canary(self.paths))
        except (Stopped, HeadLostError, OSError) as error:
            found = {"failed": str(error)}
        except KeyboardInterrupt:
            self.ledger.append("interrupted", self.utc_now(), canary=when)
            raise Stopped(INTERRUPTED) from None
        self.ledger.append("canary", self.utc_now(), when=when, **found)

    def _adopted_first(self, pending: list[PlannedRun]) -> list[PlannedRun]:
        """Puts runs that a lost `fab` started first; ends and removes jobs that belong to no pending run."""
        wanted = {self.paths.job(item.run.run_id): item for item in pending}
        first = []
        for job in sorted(self.paths.jobs.iterdir()):
            if job in wanted and self._adoptable(job):
                first.append(wanted[job])
            elif is_token(job.name):
                self.loop.abandon(job)
        return first + [item for item in pending if item not in first]

    def _adoptable(self, job: Path) -> bool:
        if self._of_another_slurm_job(job):
            return False
        state = self.sweep.executor.state(job)
        return state is State.ALIVE or (state is State.ENDED and not self.recorder.interrupted(job))

    def _of_another_slurm_job(self, job: Path) -> bool:
        """Whether what lies there was started in another one, for whose nodes a record of this one would not speak."""
        slurm = self.sweep.inventory.slurm
        started = [
            event
            for event in self.ledger.events()
            if event["event"] == "started" and self.paths.job(event["run_id"]) == job
        ]
        return slurm is not None and bool(started) and started[-1].get("slurm", slurm.of_record) != slurm.of_record

    def _one(self, planned: PlannedRun, late: str | None) -> None:
        """One run from start to record; `late`: why none of its launch may start.

        Raises Stopped where a person ended it, OSError where a file failed.
        """
        job = self.paths.job(planned.run.run_id)
        self.still_ours()
        self.progress.begin(planned)
        self._note_joiners()
        try:
            reason = self.sweep.skip_reason(planned) or late or self._too_late(planned)
            record = self._carry_through(planned, job) if reason is None else self.recorder.skipped(planned, reason)
            self._note_joiners()
            about = {"run_id": planned.run.run_id, "outcome": record["outcome"], "reason": record["reason"]}
            self.ledger.append("ended", self.utc_now(), **about)
        except KeyboardInterrupt:
            self._interrupt(planned, job)
            raise Stopped(INTERRUPTED) from None
        except Stopped as stopped:  # the cluster is gone, and the run with it
            self._interrupt(planned, job, reason=str(stopped))
            raise
        except OSError:
            if self.sweep.executor.state(job) is State.ALIVE:
                self.sweep.executor.stop(job)
            raise
        self._settle(planned, record)
        self.progress.end(planned, record)

    def _note_joiners(self) -> None:
        """The ledger learns of sweeps that were started beside this one, and of their end."""
        for event, words in self.joiners.news():
            self.ledger.append(event, self.utc_now(), sweep=words)

    def _settle(self, planned: PlannedRun, record: Mapping[str, Any]) -> None:
        """Keeps what the run found out for the further launches of its point, once."""
        if record["outcome"] != OK or planned.settled or planned.point in self._settled:
            return
        if found := self.sweep.experiment.settled(record):
            self.ledger.append(SETTLED, self.utc_now(), run_id=planned.run.run_id, values=found)
            self._settled[planned.point] = found

    def _settled_before(self) -> dict[Hashable, Mapping[str, Any]]:
        """What the ledger has of it, by point."""
        points = {item.run.run_id: item.point for item in self.sweep.runs(self.paths)}
        settled = (event for event in self.ledger.events() if event["event"] == SETTLED)
        return {points[event["run_id"]]: event["values"] for event in settled if event["run_id"] in points}

    def _settle_left_over(self) -> None:
        """What the last run found out, if its `fab` was killed between the record and the ledger's line of it."""
        last, done = self.ledger.last("started"), resume.records(self.paths)
        for item in self.sweep.runs(self.paths):
            run_id = item.run.run_id
            if last is not None and last["run_id"] == run_id and run_id in done:
                self._settle(item, read_record(self.paths.record(run_id)))

    def _too_late(self, planned: PlannedRun) -> str | None:
        """Why the run would outlive the cluster, by what others took; None where it would not."""
        return too_late(self.sweep.inventory.expires_at, self.utc_now(), self.progress.expected_s(planned))

    def _carry_through(self, planned: PlannedRun, job: Path) -> dict[str, Any]:
        try:
            self._launch(planned, job)
            return self.loop.follow(job, planned.timeout_s, lambda job: self.recorder.ended(planned, job))
        except HeadLostError as error:
            return self.recorder.lost(planned, error)

    def _launch(self, planned: PlannedRun, job: Path) -> None:
        """Starts the run, unless a lost `fab` did."""
        run_id = planned.run.run_id
        if job.exists() and self._adoptable(job):
            self.ledger.append("adopted", self.utc_now(), run_id=run_id)
            return
        self.loop.clear(job)
        files = [self.sweep.executor.bring(file) for file in planned.files]
        known = replace(planned, settled=planned.settled or self._settled.get(planned.point, {}))
        request = self.sweep.experiment.request(known, self.sweep.inventory.python, files, self.paths)
        self.loop.write(job, request)
        slurm = self.sweep.inventory.slurm
        by = {} if slurm is None else {"by": launchers.told(planned.launcher, slurm), "slurm": slurm.of_record}
        self.ledger.append("started", self.utc_now(), run_id=run_id, sequence=planned.sequence, **by)
        self.sweep.executor.start(job)

    def _interrupt(self, planned: PlannedRun, job: Path, **about: str) -> None:
        """Ends the run at work; it leaves no record."""
        self.loop.abandon(job)
        self.ledger.append("interrupted", self.utc_now(), run_id=planned.run.run_id, **about)


def carry_out(sweep: Sweep, paths: SweepPaths, progress: Progress, extras: LedgerExtras | None = None) -> Result:
    """Carries out the sweep in the folder, which it makes where it is not there. Raises Refusal, Stopped."""
    existing = next(folder for folder in (paths.folder, *paths.folder.parents) if folder.is_dir())
    of_nodes = preflight.of_nodes(sweep.executor, sweep.inventory, sweep.wanted(paths))
    fewest = fewest_cores(sweep.machines)
    own = filter(sweep.is_own, sweep.plan.runs)
    if wrong := preflight.problems(own, sweep.inventory, fewest, existing, of_nodes):
        raise Refusal("\nconvscale: ".join(wrong))
    turn, utc = sweep.request.turn, sweep.surroundings.utc_now()
    with locked(paths) as still_ours, held(sweep.executor, sweep.inventory, paths, utc, turn) as beside:
        runner = SweepRunner(sweep, paths, progress, extras or LedgerExtras(), beside, still_ours)
        try:
            sweep.surroundings.runs.point_latest(paths)
        except OSError as error:
            raise Refusal(f"{sweep.surroundings.runs.latest} cannot be written ({error.strerror})") from error
        try:
            return runner.carry_out()
        except BrokenPipeError:
            raise  # nobody reads what we print: no trouble of the disk's
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise Stopped(
                f"{where}{error.strerror or error}: nothing recorded is lost; mend that, and the same command "
                "(without --new) goes on"
            ) from error
