"""`fab pull`: collects finished runs from the cluster after `fab` was lost; starts nothing."""

from __future__ import annotations

from orchestration.jobs.executor import State
from orchestration.paths import SweepPaths
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.locks import locked
from orchestration.sweep.prepare import Sweep
from orchestration.sweep.recorder import Recorder


def collect(sweep: Sweep, paths: SweepPaths) -> tuple[list[str], list[str]]:
    """Writes the record of every run that is over; returns the lines that say so, and the runs still at work.

    Raises Refusal, OSError, HeadLostError.
    """
    executor, utc_now = sweep.executor, sweep.surroundings.utc_now
    taken, at_work = [], []
    with locked(paths):
        ledger, recorder = Ledger(paths.ledger), Recorder(paths, sweep)
        for planned in sweep.pending(paths):
            run_id = planned.run.run_id
            job = paths.job(run_id)
            state = executor.state(job) if job.exists() else State.ABSENT
            if state is State.ALIVE:
                at_work.append(run_id)
            elif state is State.ENDED and not recorder.interrupted(job):
                record = recorder.ended(planned, job)
                executor.clean(job)
                about = {"run_id": run_id, "outcome": record["outcome"], "reason": record["reason"]}
                ledger.append("ended", utc_now(), **about)
                taken.append(f"{run_id}: {record['outcome']} {record['reason']}".rstrip())
    return taken, at_work
