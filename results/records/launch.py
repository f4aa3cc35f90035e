"""One launch: what one `mpirun` was asked to do, and what came of it. results/records/parse.py makes it of a record."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.records.experiment import RecordedExperiment
from results.records.kinds import experiment_of
from results.records.marks import STREAMED, SUSPECT
from results.records.measurement import AnswerCheck, Machine, MpiCall, RankBlock, RankMemory, Repeat
from workload.record.outcomes import OK
from workload.record.run import Run


@dataclass(frozen=True)
class RecordedLaunch:
    """One launch and its record. `marks` are keys of results.records.marks.MARKS."""

    run: Run
    run_id: str
    series: tuple[str, ...]
    sequence: int
    attempt: int
    outcome: str
    reason: str
    exit_status: int | None
    started_utc: str | None
    ended_utc: str | None
    log_tail: str
    repeats: tuple[Repeat, ...]
    memory: tuple[RankMemory, ...]
    blocks: tuple[RankBlock, ...]
    mpi_calls: tuple[MpiCall, ...]
    check: AnswerCheck | None
    machines: tuple[Machine, ...]
    evidence: Mapping[str, Any]
    marks: frozenset[str]

    @property
    def ok(self) -> bool:
        return self.outcome == OK

    @property
    def counts(self) -> bool:
        """True if this launch may enter a speedup."""
        return self.ok and SUSPECT not in self.marks and not self.experiment.why_uncounted(self.run)

    @property
    def experiment(self) -> RecordedExperiment:
        return experiment_of(self.run)

    @property
    def streamed(self) -> bool:
        return STREAMED in self.marks

    def median_s(self, clock: str) -> float:
        """Median of the timed repeats by `clock`, an attribute of Repeat in seconds."""
        return float(statistics.median(getattr(repeat, clock) for repeat in self.repeats))
