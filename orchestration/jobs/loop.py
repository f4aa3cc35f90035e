"""The job loop: the only code that starts a job and follows it to its end. Sweeps, probes and canaries use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from orchestration.clusters.inventory import Inventory
from orchestration.jobs.executor import Executor, State
from orchestration.jobs.job import JobRequest, JobWriter
from orchestration.jobs.launchers.placement import NodeCpus

SUPERVISOR_S = 60.0  # past the job's own limit, which its supervisor holds: this one is for a supervisor that hangs
Result = TypeVar("Result")


@dataclass(frozen=True)
class JobLoop:
    """Runs jobs on an executor, one after the other."""

    executor: Executor
    writer: JobWriter

    def carry_out(self, job: Path, request: JobRequest, collect: Callable[[Path], Result]) -> Result:
        """Starts a job and follows it to its end; see `start` and `follow`. Ctrl-C ends it and leaves nothing behind.

        Leftovers of an earlier job of that name, for example on a head that was lost, are removed first.
        """
        try:
            self.start(job, request)
            return self.follow(job, request.timeout_s, collect)
        except KeyboardInterrupt:
            self.abandon(job)
            raise

    def start(self, job: Path, request: JobRequest) -> None:
        """Writes the job's folder and starts its supervisor. Raises OSError, HeadLostError."""
        self.clear(job)
        self.write(job, request)
        self.executor.start(job)

    def write(self, job: Path, request: JobRequest) -> None:
        """Writes the job's folder. Raises OSError."""
        self.writer.write(job, request)

    def follow(self, job: Path, timeout_s: float, collect: Callable[[Path], Result]) -> Result:
        """Waits for a started job, ends it if it runs too long, and removes it after `collect`.

        `collect` reads what the job left, before the folder is removed. Raises HeadLostError, and what it raises.
        """
        if self.executor.wait(job, timeout_s + SUPERVISOR_S) is State.ALIVE:
            self.executor.stop(job)
        result = collect(job)
        self.executor.clean(job)
        return result

    def clear(self, job: Path) -> None:
        """Ends and removes the leftovers of an earlier job of that name. Raises OSError, HeadLostError."""
        if job.exists():
            self.executor.end_leftovers(job)
            self.executor.clean(job)

    def abandon(self, job: Path) -> None:
        """Ends a running job and removes it. Raises OSError, HeadLostError."""
        if job.exists():
            self.executor.stop(job)
            self.executor.clean(job)


def job_loop(executor: Executor, inventory: Inventory, cpus: NodeCpus) -> JobLoop:
    """The loop for jobs on a cluster, whose ranks may use those CPUs of each node."""
    return JobLoop(executor, JobWriter(inventory, cpus, executor))
