"""A launch: what one `mpirun` was asked to do, and the outcome. parse.py makes it from a record."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from results.records.experiment import RecordedExperiment
from results.records.kinds import experiment_of
from results.records.marks import STREAMED, SUSPECT
from results.records.measurement import AnswerCheck, FoundStores, Machine, MpiCall, RankBlock, RankMemory, Repeat
from workload.record.kinds import RecordedRun
from workload.record.outcomes import OK
from workload.record.run import Run


@dataclass(frozen=True)
class RecordedLaunch:
    """One launch, from its record.

    `clocks_s`: the run's duration in seconds by MPI's clock and by the system's; None if it did not get that far.
    `marks` are keys of results.records.marks.MARKS.
    """

    run: RecordedRun
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
    warmups: tuple[Repeat, ...]
    repeats: tuple[Repeat, ...]
    memory: tuple[RankMemory, ...]
    blocks: tuple[RankBlock, ...]
    mpi_calls: tuple[MpiCall, ...]
    check: AnswerCheck | None
    machines: tuple[Machine, ...]
    clocks_s: tuple[float, float] | None
    evidence: Mapping[str, Any]
    marks: frozenset[str]
    stores: FoundStores | None = None
    gpus: tuple[str, ...] = ()  # the UUID of each rank's; none without GPUs
    measured: Mapping[str, Any] = field(default_factory=dict)  # of a program: its record, for its own tables

    def marked(self, mark: str) -> RecordedLaunch:
        """The same with one more mark."""
        return replace(self, marks=self.marks | {mark})

    @property
    def convolution(self) -> Run:
        """The run, with what only convolutions have. Raises TypeError for another kind of experiment."""
        if not isinstance(self.run, Run):
            raise TypeError(f"run {self.run_id} is of kind {self.run.workload.kind}, and no convolution")
        return self.run

    @property
    def ok(self) -> bool:
        return self.outcome == OK

    @property
    def counts(self) -> bool:
        """Whether this launch may enter a speedup."""
        return self.ok and SUSPECT not in self.marks and not self.experiment.why_uncounted(self.run)

    @property
    def experiment(self) -> RecordedExperiment:
        return experiment_of(self.run)

    @property
    def streamed(self) -> bool:
        return STREAMED in self.marks

    @property
    def started(self) -> datetime | None:
        """By the clock of the head; None where the record has no such time."""
        return instant(self.started_utc)

    @property
    def ended(self) -> datetime | None:
        """By the clock of the head; None where the record has no such time."""
        return instant(self.ended_utc)

    @property
    def wall_s(self) -> float | None:
        """Seconds from start to end of the launch; None where the record does not tell."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()

    @cached_property
    def core_speeds(self) -> tuple[float, ...]:
        """Of each rank that has any, the median of its readings: one reading of milliseconds says little."""
        of_ranks: dict[int, list[float]] = {}
        for repeat in self.repeats:
            for rank in repeat.ranks:
                if rank.core_flops_per_s:
                    of_ranks.setdefault(rank.rank, []).append(rank.core_flops_per_s)
        return tuple(statistics.median(speeds) for speeds in of_ranks.values())

    def median_s(self, clock: str) -> float:
        """Median of the timed repeats by `clock`, an attribute of Repeat in seconds."""
        return float(statistics.median(getattr(repeat, clock) for repeat in self.repeats))


def instant(text: object) -> datetime | None:
    """The time that an ISO 8601 text names, UTC where it names no zone; None where it names no time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
