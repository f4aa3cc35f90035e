"""The tasks that work on a cluster's nodes: `check`, `push`, `ssh` and `clean`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal, Stopped
from orchestration.tasks.arguments import CLUSTER, LOCAL_CLUSTER, SWEEP, TURN, sweep_at
from orchestration.tasks.common import (
    ROOT,
    RUNS,
    find,
    find_living,
    find_remote,
    reports_errors,
    surroundings,
    terminable,
    utc_now,
)
from orchestration.tasks.printing import print_line, print_table

if TYPE_CHECKING:
    from orchestration.jobs.executor import Executor
    from orchestration.sweep.prepare import Request, Sweep


@task(
    help={
        "cluster": LOCAL_CLUSTER,
        "study": "what is to run there: its ranks, its duration (default: the cluster's own)",
        **TURN,
    },
    auto_shortflags=False,
)
@reports_errors
def check(
    _context: Context, cluster: str = "local", study: str = "", wait: bool = False, concurrent: bool = False
) -> None:
    """Check that a cluster can be measured: one table, every fault at once, each with its remedy."""
    from orchestration.sweep.locks import Turn
    from orchestration.sweep.prepare import Request

    with terminable():
        check_cluster(Request(cluster, study or None, turn=Turn(wait, concurrent, print_line)))


def check_cluster(request: Request, *, in_part: bool = False) -> None:
    """Prints the table of a cluster that is to carry a study out. Raises Refusal with every fault, Stopped.

    `in_part`: it is no fault that the cluster's lifetime ends before the study does.
    """
    from orchestration.checks import preflight
    from orchestration.checks.nodes import Wanted
    from orchestration.executors.connect import connect
    from orchestration.forecast.sweep import forecast_sweep
    from orchestration.jobs.executor import HeadLostError
    from orchestration.paths import SweepPaths
    from orchestration.sweep.locks import this_machine_held
    from workload.record.digest import code_digest

    around = surroundings()
    inventory = find_living(request.cluster)
    RUNS.mkdir(parents=True, exist_ok=True)
    executor = connect(inventory, around.environment)
    try:
        planned = _planned(request, executor)
        runs, takes_s = ((), 0.0) if planned is None else (planned.plan.runs, forecast_sweep(planned).takes_s())
        outlived = (0, 0.0) if in_part else (len(runs), takes_s)
        wanted = Wanted(code_digest(ROOT / "workload") or "", utc_now(), *outlived)
        paths = SweepPaths(RUNS.absolute() / ".checks" / inventory.cluster)
        with this_machine_held(executor, inventory, paths, utc_now(), request.turn) as beside:
            found = preflight.everything(executor, inventory, wanted, RUNS, runs)
    except HeadLostError as error:
        raise Stopped(f"the head {error}") from error
    print_table(["check", "found", ""], [[item.name, item.found, item.verdict] for item in found])
    for line in [*filter(None, [beside]), *(line for item in found for line in item.warnings)]:
        print(f"warning: {line}")
    faults = [fault for item in found for fault in item.faults]
    if faults:
        raise Refusal("\nconvscale: ".join(faults))


def _planned(request: Request, executor: Executor) -> Sweep | None:
    """The study planned on the cluster; None where a node cannot be asked. Raises Refusal where the study is wrong."""
    from orchestration.sweep.prepare import prepare

    try:
        machines = executor.machines()
    except Refusal:
        return None  # the table says why
    return prepare(request, surroundings(), machines)


@task(help={"cluster": CLUSTER}, auto_shortflags=False)
@reports_errors
def push(_context: Context, cluster: str = "") -> None:
    """Copy the workload to every node: once to the head, from there to all; only what changed."""
    push_to(cluster)


def push_to(cluster: str) -> None:
    """Pushes, and prints what was sent and to whom. Raises Refusal."""
    from orchestration.clusters.lifetime import living
    from orchestration.executors.remote import upload

    pushed = upload.push(living(find_remote(cluster), utc_now()), ROOT)
    changed = ", ".join(pushed.changed) or "no node: all had it"
    print(f"workload {pushed.digest[:16]}: {pushed.sent_bytes} bytes to the head; new on {changed}")


@task(help={"cluster": CLUSTER, "node": "name of a node (default: the head)"}, auto_shortflags=False)
@reports_errors
def ssh(_context: Context, cluster: str = "", node: str = "") -> None:
    """Open a shell on a node; only pinned host keys are accepted."""
    from orchestration.messages import unknown
    from orchestration.ssh import config_file

    inventory = find_remote(cluster)
    names = [item.name for item in inventory.nodes]
    if node and node not in names:
        raise Refusal(unknown("node", node, names))
    key = Path(inventory.key_file) if inventory.key_file else None
    with tempfile.NamedTemporaryFile("w", prefix="convscale-ssh-") as config:
        config.write(config_file.text(inventory, key, Path(inventory.known_hosts or "/dev/null")))
        config.flush()
        done = subprocess.run(["ssh", "-F", config.name, "--", node or names[0]], check=False)  # noqa: S603, S607
    if done.returncode:
        raise Exit(code=1)


@task(
    help={
        "cluster": CLUSTER,
        "sweep": f"{SWEEP}, more than once for several (default: all sweeps there)",
    },
    iterable=["sweep"],
    auto_shortflags=False,
)
@reports_errors
def clean(_context: Context, sweep: Sequence[str], cluster: str = "") -> None:
    """End and remove what killed or lost sweeps of this checkout left on a cluster; records stay."""
    from orchestration.jobs.environment import kept_environment
    from orchestration.paths import RunsFolder
    from orchestration.sweep import cleanup

    found = find(cluster)
    sweeps = [cleanup.at(sweep_at(name), found) for name in sweep] or cleanup.of_cluster(found, RunsFolder(RUNS))
    removed = cleanup.clean(found, sweeps, kept_environment(dict(os.environ)), print_line)
    print(f"{cluster}: {removed} runs' leftovers removed" if removed else f"{cluster}: nothing to remove")
