"""Writes records: what a run left, and what the operator knows of it. Nothing else writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.jobs import outcome
from orchestration.jobs.executor import HeadLostError, Place, Traces
from orchestration.jobs.job import LOG, MEASUREMENT, PREVIEW
from orchestration.jobs.outcome import Ending, Verdict
from orchestration.paths import SweepPaths
from orchestration.planning import images
from orchestration.planning.plan import PlannedRun
from workload.agent import supervise
from workload.record.files import read_record, write_json
from workload.record.outcomes import CRASHED, NODE_LOST, SKIPPED
from workload.record.schema import MEASUREMENT_SHAPE, SCHEMA_VERSION, SchemaError

EXIT_KEYS = {"exit_status", "error", "timed_out", "interrupted", "started_utc", "ended_utc", "oom_before", "oom_after"}
LIMIT_BYTES = 2**28  # of a measurement: 65,536 ranks' worth and more
TAIL_BYTES = 64 * 1024  # enough for the log's tail and the last words of every rank


@dataclass(frozen=True)
class Recorder:
    """Turns the end of a job into a record in the sweep's folder."""

    paths: SweepPaths
    place: Place

    def interrupted(self, job: Path) -> bool:
        """True where the job was ended on request: it is to leave no record."""
        document = self._exit(job)
        return document is not None and bool(document.get("interrupted"))

    def skipped(self, planned: PlannedRun, reason: str) -> dict[str, Any]:
        """The record of a run that was not started."""
        verdict = Verdict(SKIPPED, reason, outcome.no_evidence())
        return self._write(planned, verdict, None, {}, "")

    def lost(self, planned: PlannedRun, error: HeadLostError) -> dict[str, Any]:
        """The record of a run whose head fell silent."""
        evidence = outcome.no_evidence() | {"lost_nodes": [error.node]}
        return self._write(planned, Verdict(NODE_LOST, f"the head {error}", evidence), None, {}, "")

    def ended(self, planned: PlannedRun, job: Path) -> dict[str, Any]:
        """The record of a run that is over. Raises OSError; the record is then absent or whole."""
        tail = self.place.fetch_tail(job, LOG, TAIL_BYTES)
        log = tail.decode(errors="replace").replace("\0", "")
        measurement, missing = self._measurement(planned, job)
        document = self._exit(job)
        if document is None:
            self.place.end_leftovers(job)
            verdict, document = self._unsupervised(job), {}
        else:
            good = document["exit_status"] == 0 and measurement is not None and not outcome.lost_daemon(log)
            traces = Traces() if good else self.place.end_leftovers(job)
            ending = Ending.from_document(self.place.node, document, traces, self.place.names)
            verdict = outcome.classify(ending, measurement, missing, log)
        self.place.fetch_file(job, LOG, self.paths.log(planned.run.run_id))
        self._pictures(job)
        return self._write(planned, verdict, measurement, document, outcome.log_tail(tail))

    def _unsupervised(self, job: Path) -> Verdict:
        """The verdict on a run whose supervisor did not live to say how it ended."""
        if self.place.restarted(job):
            head = self.place.names.get(self.place.node, self.place.node)
            evidence = outcome.no_evidence() | {"lost_nodes": [head]}
            return Verdict(NODE_LOST, f"the head {head} was started again during the run", evidence)
        words = outcome.log_tail(self.place.fetch_tail(job, "supervisor.log", TAIL_BYTES)).strip().splitlines()
        reason = f"the run's supervisor ended without a word: {words[-1] if words else 'was it killed?'}"
        return Verdict(CRASHED, reason, outcome.no_evidence())

    def _measurement(self, planned: PlannedRun, job: Path) -> tuple[Mapping[str, Any] | None, str]:
        try:
            content = self.place.fetch(job, MEASUREMENT, LIMIT_BYTES)
            return outcome.read_measurement(content, planned.run), ""
        except (SchemaError, ValueError) as error:
            return None, str(error)

    def _exit(self, job: Path) -> dict[str, Any] | None:
        try:
            document = json.loads(self.place.fetch(job, supervise.EXIT, LIMIT_BYTES) or b"null")
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) and document.keys() >= EXIT_KEYS else None

    def _pictures(self, job: Path) -> None:
        """Figure 2's two pictures, where the run left them and the sweep has none yet. A damaged preview is none."""
        if self.paths.picture("input").exists():
            return
        try:
            content = self.place.fetch(job, PREVIEW, images.MAX_PREVIEW_BYTES)
            arrays = images.read_preview(content) if content is not None else {}
        except ValueError:
            return
        for name in ("output", "input"):  # the input last: it says that both are there
            if name in arrays:
                partial = self.paths.pictures / f".{name}.partial"
                partial.write_bytes(images.png(arrays[name]))
                partial.replace(self.paths.picture(name))

    def _write(
        self,
        planned: PlannedRun,
        verdict: Verdict,
        measurement: Mapping[str, Any] | None,
        document: Mapping[str, Any],
        log_tail: str,
    ) -> dict[str, Any]:
        run_id = planned.run.run_id
        record: dict[str, Any] = {
            **(measurement or _no_measurement()),
            "schema_version": SCHEMA_VERSION,
            "run_id": run_id,
            "run": planned.run.as_dict(),
            "series": list(planned.series),
            "launch": planned.run.launch,
            "sequence": planned.sequence,
            "attempt": self._supersede(run_id) + 1,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "exit_status": document.get("exit_status"),
            "started_utc": document.get("started_utc"),
            "ended_utc": document.get("ended_utc"),
            "log_tail": log_tail,
            "predicted": {
                "peak_bytes": list(planned.footprint.peak_bytes),
                "moved_bytes": planned.footprint.moved_bytes,
            },
            "evidence": verdict.evidence,
        }
        write_json(self.paths.record(run_id), record)
        return record

    def _supersede(self, run_id: str) -> int:
        """Moves an earlier record out of the count; returns how many attempts there were before this one."""
        path = self.paths.record(run_id)
        if path.exists():
            attempt = int(read_record(path)["attempt"])
            path.replace(self.paths.superseded_record(run_id, attempt))
            return attempt
        earlier = self.paths.superseded.glob(f"{run_id}.*.json")
        return max((int(path.suffixes[0][1:]) for path in earlier), default=0)


def _no_measurement() -> dict[str, Any]:
    """The measurement's keys where there is none."""
    empty: dict[str, Any] = {}
    for key, shape in MEASUREMENT_SHAPE.items():
        empty[key] = [] if isinstance(shape, list) else {}
    return empty
