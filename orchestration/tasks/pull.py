"""The tasks `pull` and `status`: fetch what a sweep left on its cluster, and show how far a sweep is."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal, Stopped
from orchestration.tasks.arguments import LOCAL_CLUSTER, NEWEST, sweep_at, sweep_paths
from orchestration.tasks.common import RUNS, known_clusters, operator, reports_errors, surroundings
from orchestration.tasks.printing import short

if TYPE_CHECKING:
    from orchestration.operator import Operator
    from orchestration.paths import SweepPaths


@task(
    help={"cluster": LOCAL_CLUSTER, "sweep": NEWEST, "yes": "start a cloud cluster's stopped head without asking"},
    auto_shortflags=False,
)
@reports_errors
def pull(_context: Context, cluster: str = "local", sweep: str = "", yes: bool = False) -> None:
    """Fetch what the runs of an interrupted sweep left on its cluster; no run is started."""
    pull_sweep(cluster, sweep_paths(cluster, sweep), operator(yes))


def pull_sweep(cluster: str, paths: SweepPaths, us: Operator) -> None:
    """Pulls, and prints what was taken. Raises Refusal, Stopped."""
    from orchestration.jobs.executor import HeadLostError
    from orchestration.sweep.prepare import Request, prepare
    from orchestration.sweep.pull import collect
    from orchestration.sweep.resume import machines

    owner = known_clusters().owner(cluster)
    with owner.awake(cluster, us) if owner else nullcontext():
        # the machines as recorded: at the end of a cloud cluster only the head is left, with what all measured
        prepared = prepare(Request(cluster, str(paths.study), paths.folder), surroundings(), machines(paths))
        if prepared.find() is None:
            raise Refusal(f"{paths.folder} holds no sweep: give one under {short(RUNS)}")
        try:
            taken, at_work = collect(prepared, paths)
        except (HeadLostError, OSError) as error:
            raise Stopped(f"{error}: what is recorded is kept; mend that, and the same command goes on") from error
    for line in (*taken, *(f"{run}: still at work" for run in at_work)):
        print(line)
    print(f"{short(paths.folder)}: {len(taken)} records written, {len(at_work)} runs at work")


@task(help={"cluster": LOCAL_CLUSTER, "sweep": NEWEST}, auto_shortflags=False)
@reports_errors
def status(_context: Context, cluster: str = "local", sweep: str = "") -> None:
    """Show how far a sweep is; exit status 1 where one of its runs failed."""
    from orchestration.sweep.status import status as status_of
    from workload.record.outcomes import OK, SKIPPED

    begun, waiting = _jobs(cluster, sweep)
    for line in waiting:
        print(line)
    if begun is None:
        return
    found = status_of(begun)
    print(f"{short(found.paths.folder)}: {found.planned} runs on {found.cluster}")
    for outcome, count in sorted(found.outcomes.items()):
        print(f"  {count} {outcome}")
    for run in found.at_work:
        print(f"  at work, or left there: {run}")
    print(f"  {found.waiting} waiting")
    if set(found.outcomes) - {OK, SKIPPED}:
        raise Exit(code=1)


def _jobs(cluster: str, sweep: str) -> tuple[SweepPaths | None, list[str]]:
    """The sweep that is meant, None where it has not begun; and lines on its jobs in Slurm's queue. Raises Refusal."""
    from orchestration.paths import RunsFolder, SweepPaths
    from orchestration.provision import batch

    named = [SweepPaths(sweep_at(sweep).resolve())] if sweep else []
    candidates = named or batch.submitted_sweeps(RunsFolder(RUNS), cluster)
    if not candidates or batch.command_of(paths := candidates[0]) is None:
        return sweep_paths(cluster, sweep), []
    try:
        queue = batch.SlurmQueue(os.environ)
        jobs = [job for _, job in queue.jobs([paths])]
        lines = [f"job {job.number}: {job.state} ({job.reason})" for job in jobs]
        if not jobs and not batch.finished(paths):
            ended = queue.last_ended(paths)
            lines = [f"job {ended.number} ended: {ended.state}"] if ended else []
            lines.append("no job of it waits or runs: 'fab submit' goes on")
    except Refusal as refusal:  # where there is no Slurm, records tell as much as they do anywhere
        lines = [str(refusal)]
    if paths.ledger.exists():
        return paths, lines
    return None, [f"{short(paths.folder)}: not begun", *lines]
