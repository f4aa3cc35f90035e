"""`fab clean`: ends and removes what sweeps of this checkout left on a cluster, by exact tokens, never by pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.inventory import read as read_inventory
from orchestration.errors import Refusal
from orchestration.executors.connect import connect
from orchestration.jobs.executor import Executor, HeadLostError
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.sweep.locks import locked
from workload.record.token import is_token


def clean(
    inventory: Inventory, sweeps: Sequence[SweepPaths], environment: Mapping[str, str], say: Callable[[str], None]
) -> int:
    """Returns from how many runs something was removed. A sweep that another `fab` works on is left alone and named.

    Raises Refusal where the cluster cannot be reached.
    """
    executor = connect(inventory, environment)
    try:
        removed = sum(_of_sweep(executor, paths, jobs, say) for paths in sweeps if (jobs := _jobs(paths)))
        if others := executor.tokens():
            say(
                f"left alone, of sweeps that lie elsewhere: {', '.join(others[:8])}{' ..' if len(others) > 8 else ''} "
                "(--sweep FOLDER names such a sweep)"
            )
    except HeadLostError as error:
        raise Refusal(f"{error}: is the cluster up?") from error
    return removed


def of_cluster(inventory: Inventory, runs: RunsFolder) -> list[SweepPaths]:
    """The sweeps on this cluster; one whose inventory cannot be read says nothing of where it ran."""
    return [paths for paths in runs.sweeps() if _cluster(paths) == inventory.cluster]


def at(folder: Path, inventory: Inventory) -> SweepPaths:
    """The sweep that a person named. Raises Refusal where it is none, or of another cluster."""
    paths = SweepPaths(folder.resolve())
    if (cluster := _cluster(paths)) != inventory.cluster:
        what = f"is a sweep on {cluster}" if cluster else "is no sweep's folder (it has no inventory.json)"
        raise Refusal(f"--sweep {folder} {what}: give a sweep on {inventory.cluster}")
    return paths


def _cluster(paths: SweepPaths) -> str | None:
    try:
        return read_inventory(paths.inventory).cluster
    except Refusal:
        return None


def _of_sweep(executor: Executor, paths: SweepPaths, jobs: Sequence[Path], say: Callable[[str], None]) -> int:
    """How many were removed. Raises HeadLostError."""
    try:
        with locked(paths):
            for job in jobs:
                executor.stop(job)
                executor.clean(job)
            executor.lease.release(paths.mark)
    except Refusal as refusal:
        say(f"left alone: {refusal}")
        return 0
    return len(jobs)


def _jobs(paths: SweepPaths) -> list[Path]:
    if not paths.jobs.is_dir():
        return []
    return sorted(job for job in paths.jobs.iterdir() if is_token(job.name))
