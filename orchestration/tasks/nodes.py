"""The fab tasks that look at a cluster and fetch from it: short bodies, as in tasks.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal, Stopped
from orchestration.tasks.common import ROOT, RUNS, cloud, console, short, speaking, surroundings

if TYPE_CHECKING:
    from orchestration.jobs.executor import Place
    from orchestration.paths import SweepPaths
    from orchestration.sweep.prepare import Sweep

CLUSTER = "a name that `fab clusters` lists, or the path of an inventory.json (default: local)"
SWEEP = "folder of a sweep (default: the cluster's newest)"


@task(
    help={"cluster": CLUSTER, "study": "what is to run there: its ranks, its duration (default: the cluster's own)"},
    auto_shortflags=False,
)
@speaking
def check(_context: Context, cluster: str = "local", study: str = "") -> None:
    """Check that a cluster can be measured: one table, every fault at once, each with its remedy."""
    from rich.markup import escape
    from rich.table import Table

    from orchestration.checks import preflight
    from orchestration.checks.nodes import Wanted
    from orchestration.clusters.registry import find, living
    from orchestration.forecast.sweep import foretell
    from orchestration.jobs.executor import HeadLostError
    from orchestration.sweep.prepare import connect
    from workload.agent.supervise import utc_now
    from workload.record.digest import code_digest

    around = surroundings()
    inventory = living(find(cluster, ROOT, utc_now()), utc_now())
    RUNS.mkdir(parents=True, exist_ok=True)
    place = connect(inventory, around.environment)
    try:
        planned = _planned(cluster, study, place)
        runs, takes_s = ((), 0.0) if planned is None else (planned.plan.runs, foretell(planned).takes_s())
        wanted = Wanted(code_digest(ROOT / "workload") or "", utc_now(), len(runs), takes_s)
        found = preflight.everything(place, inventory, wanted, RUNS, runs)
    except HeadLostError as error:
        raise Stopped(f"the head {error}") from error
    table = Table("check", "found", "")
    for item in found:
        table.add_row(escape(item.name), escape(item.found), item.verdict)
    console().print(table)
    for line in [line for item in found for line in item.warnings]:
        print(f"warning: {line}")
    faults = [fault for item in found for fault in item.faults]
    if faults:
        raise Refusal("\nconvscale: ".join(faults))


def _planned(cluster: str, study: str, place: Place) -> Sweep | None:
    """The study on the cluster as it is; None where a node cannot be asked. Raises Refusal where the study is wrong."""
    from orchestration.sweep.prepare import Request, prepare

    try:
        machines = place.machines()
    except Refusal:
        return None  # the table says why
    return prepare(Request(cluster, study or None), surroundings(), machines)


@task(
    help={"cluster": CLUSTER, "sweep": SWEEP, "yes": "start a cloud cluster's stopped head without asking"},
    auto_shortflags=False,
)
@speaking
def pull(_context: Context, cluster: str = "local", sweep: str = "", yes: bool = False) -> None:
    """Fetch what the runs of a sweep left on its cluster, where a lost fab did not; starts nothing."""
    from orchestration.jobs.executor import HeadLostError
    from orchestration.sweep.prepare import Request, prepare
    from orchestration.sweep.pull import collect
    from orchestration.sweep.resume import machines

    paths = _sweep(cluster, sweep)
    with cloud(yes).head_awake(cluster):
        # as they were: at a cloud cluster's end the nodes are gone, and the head alone has what they measured
        prepared = prepare(Request(cluster, str(paths.study), paths.folder), surroundings(), machines(paths))
        if prepared.find() is None:
            raise Refusal(f"{paths.folder} holds no sweep: give a folder under results/runs")
        try:
            taken, at_work = collect(prepared, paths)
        except (HeadLostError, OSError) as error:
            raise Stopped(f"{error}: what is recorded is kept; mend that, and the same command goes on") from error
    for line in (*taken, *(f"{run}: still at work" for run in at_work)):
        print(line)
    print(f"{short(paths.folder)}: {len(taken)} records written, {len(at_work)} runs at work")


@task(help={"cluster": CLUSTER, "sweep": SWEEP}, auto_shortflags=False)
@speaking
def status(_context: Context, cluster: str = "local", sweep: str = "") -> None:
    """Say how far a sweep is; exit status 1 where a run of it failed."""
    from orchestration.sweep import status as statuses
    from workload.record.outcomes import OK, SKIPPED

    found = statuses.status(_sweep(cluster, sweep))
    print(f"{short(found.paths.folder)}: {found.planned} runs on {found.cluster}")
    for outcome, count in sorted(found.outcomes.items()):
        print(f"  {count} {outcome}")
    for run in found.at_work:
        print(f"  at work, or left there: {run}")
    print(f"  {found.waiting} waiting")
    if set(found.outcomes) - {OK, SKIPPED}:
        raise Exit(code=1)


def _sweep(cluster: str, sweep: str) -> SweepPaths:
    """The sweep's folder. Raises Refusal."""
    from orchestration.clusters.registry import called
    from orchestration.paths import RunsFolder, SweepPaths
    from orchestration.sweep.status import newest
    from workload.agent.supervise import utc_now

    if not sweep:
        return newest(RunsFolder(RUNS), called(cluster, ROOT, utc_now()))
    paths = SweepPaths(Path(sweep).resolve())
    if not paths.ledger.exists():
        raise Refusal(f"--sweep {sweep} is no sweep's folder (it has no ledger.jsonl): give one under results/runs")
    return paths
