"""`fab clean`: ends and removes, token by token, what sweeps of this checkout left on a cluster. Nothing by pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestration.inventory import Inventory
from orchestration.inventory import read as read_inventory
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.place import HeadLostError
from orchestration.refusal import Refusal
from orchestration.sweep import connect, locked
from workload import supervise


def clean(inventory: Inventory, runs: RunsFolder, environment: Mapping[str, str], say: Callable[[str], None]) -> int:
    """How many runs' leftovers were removed; a sweep that another `fab` is at work on is left alone, and named.

    Raises Refusal where the cluster cannot be reached.
    """
    left = {paths: jobs for paths in _sweeps(inventory, runs) if (jobs := _jobs(paths))}
    if not left:
        return 0
    place = connect(inventory, environment)
    removed = 0
    for paths, jobs in left.items():
        try:
            with locked(paths):
                for job in jobs:
                    place.stop(job)
                    place.clean(job)
                    removed += 1
        except HeadLostError as error:
            raise Refusal(f"{error}: is the cluster up?") from error
        except Refusal as refusal:
            say(f"left alone: {refusal}")
    return removed


def _sweeps(inventory: Inventory, runs: RunsFolder) -> Iterator[SweepPaths]:
    """The sweeps on this cluster; one whose inventory cannot be read says nothing of where it ran."""
    for paths in runs.sweeps():
        try:
            if read_inventory(paths.inventory).cluster == inventory.cluster:
                yield paths
        except Refusal:
            continue


def _jobs(paths: SweepPaths) -> list[Path]:
    if not paths.jobs.is_dir():
        return []
    return sorted(job for job in paths.jobs.iterdir() if supervise.TOKEN.fullmatch(job.name))
