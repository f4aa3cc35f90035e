"""Writes records from what a run left and what the operator knows. No other code writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.jobs import launchers
from orchestration.jobs.evidence import Ending, log_tail, log_text, no_evidence
from orchestration.jobs.executor import HeadLostError, Traces
from orchestration.jobs.job import LOG, MEASUREMENT
from orchestration.jobs.outcome import Reading, Verdict, classify, ended_well, without_teardown
from orchestration.paths import SweepPaths
from orchestration.planning.plan import PlannedRun
from workload.agent import supervise
from workload.record.files import write_json
from workload.record.kinds import KINDS, read_record
from workload.record.outcomes import CRASHED, NODE_LOST, SKIPPED

if TYPE_CHECKING:
    from orchestration.sweep.prepare import Sweep

EXIT_KEYS = {"exit_status", "error", "timed_out", "interrupted", "started_utc", "ended_utc", "oom_before", "oom_after"}
LIMIT_BYTES = 2**28  # of a measurement: 65,536 ranks' worth and more
TAIL_BYTES = 64 * 1024  # enough for the log's tail and the last words of every rank
UNMEASURED = Reading(None)


@dataclass(frozen=True)
class Recorder:
    """Turns the end of a job into a record in the sweep's folder."""

    paths: SweepPaths
    sweep: Sweep

    def interrupted(self, job: Path) -> bool:
        """True where the job was ended on request: it is to leave no record."""
        document = self._exit(job)
        return document is not None and bool(document.get("interrupted"))

    def skipped(self, planned: PlannedRun, reason: str) -> dict[str, Any]:
        """The record of a run that was not started."""
        return self._write(planned, Verdict(SKIPPED, reason, no_evidence()), UNMEASURED, {}, "")

    def lost(self, planned: PlannedRun, error: HeadLostError) -> dict[str, Any]:
        """The record of a run whose head fell silent."""
        evidence = no_evidence() | {"lost_nodes": [error.node]}
        return self._write(planned, Verdict(NODE_LOST, f"the head {error}", evidence), UNMEASURED, {}, "")

    def ended(self, planned: PlannedRun, job: Path) -> dict[str, Any]:
        """The record of a run that is over. Raises OSError; the record is then absent or whole."""
        executor = self.sweep.executor
        tail = executor.fetch_tail(job, LOG, TAIL_BYTES)
        reading = self._reading(planned, job)
        document = self._exit(job)
        if document is None:
            executor.end_leftovers(job)
            verdict, document = self._unsupervised(job), {}
        else:
            log = log_text(tail)
            launcher = launchers.find(planned.launcher, self.sweep.inventory.slurm)
            launch = launcher.evidence(document["exit_status"], log)
            good = ended_well(document["exit_status"], reading, launch)
            traces = Traces() if good else executor.end_leftovers(job)
            if self.sweep.inventory.slurm is not None:
                lost = executor.lost(planned.run.nodes)
                launch = without_teardown(launch, document["exit_status"], reading, lost)
            ending = Ending.from_document(executor.node, document, traces, executor.names)
            verdict = classify(ending, launch, reading, log)
        executor.fetch_file(job, LOG, self.paths.log(planned.run.run_id))
        self.sweep.experiment.keep(executor, job, self.paths)
        return self._write(planned, verdict, reading, document, log_tail(tail))

    def _unsupervised(self, job: Path) -> Verdict:
        """The verdict on a run whose supervisor died before it could report."""
        executor = self.sweep.executor
        if executor.restarted(job):
            head = executor.names.get(executor.node, executor.node)
            evidence = no_evidence() | {"lost_nodes": [head]}
            return Verdict(NODE_LOST, f"the head {head} was started again during the run", evidence)
        words = log_tail(executor.fetch_tail(job, "supervisor.log", TAIL_BYTES)).strip().splitlines()
        reason = f"the run's supervisor ended without a word: {words[-1] if words else 'was it killed?'}"
        return Verdict(CRASHED, reason, no_evidence())

    def _reading(self, planned: PlannedRun, job: Path) -> Reading:
        try:
            content = self.sweep.executor.fetch(job, MEASUREMENT, LIMIT_BYTES)
        except ValueError as error:
            return Reading(None, missing=str(error))
        return self.sweep.experiment.read(content, planned)

    def _exit(self, job: Path) -> dict[str, Any] | None:
        try:
            document = json.loads(self.sweep.executor.fetch(job, supervise.EXIT, LIMIT_BYTES) or b"null")
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) and document.keys() >= EXIT_KEYS else None

    def _write(
        self,
        planned: PlannedRun,
        verdict: Verdict,
        reading: Reading,
        document: Mapping[str, Any],
        log_tail: str,
    ) -> dict[str, Any]:
        run_id, kind, slurm = planned.run.run_id, KINDS[self.sweep.experiment.kind], self.sweep.inventory.slurm
        record: dict[str, Any] = {
            **(reading.document or kind.unmeasured()),
            "schema_version": kind.version,
            "run_id": run_id,
            "run": planned.run.as_dict(),
            "series": list(planned.series),
            "launch": planned.run.launch,
            "sequence": planned.sequence,
            "attempt": self.set_aside(run_id) + 1,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "exit_status": document.get("exit_status"),
            "started_utc": document.get("started_utc"),
            "ended_utc": document.get("ended_utc"),
            "log_tail": log_tail,
            "predicted": dict(planned.predicted),
            "evidence": verdict.evidence,
            **({} if slurm is None else {"slurm": slurm.of_record}),
        }
        write_json(self.paths.record(run_id), record)
        return record

    def set_aside(self, run_id: str) -> int:
        """Moves an earlier record aside, where there is one; returns the number of earlier attempts."""
        path = self.paths.record(run_id)
        if path.exists():
            attempt = int(read_record(path)["attempt"])
            path.replace(self.paths.superseded_record(run_id, attempt))
            return attempt
        earlier = self.paths.superseded.glob(f"{run_id}.*.json")
        return max((int(path.suffixes[0][1:]) for path in earlier), default=0)
