"""Can this place run this plan? Says all that is wrong at once; empty where nothing is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestration.inventory import Inventory
from orchestration.plan import PlannedRun

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where Open MPI puts its segments
SHARED_MEMORY_BYTES_PER_RANK = 8 * 2**20  # its segments took 5 MB a rank
SPARE_DISK_BYTES = 64 * 2**20  # logs, records, tables and figures of a sweep


def problems(runs: Iterable[PlannedRun], inventory: Inventory, cores: int, folder: Path) -> list[str]:
    """One line each: mpirun, threads against cores, /dev/shm, disk. `folder` is where the sweep's files go."""
    runs = list(runs)
    found = [_mpirun(Path(inventory.python).parent / "mpirun")]
    if runs:
        found.append(_threads(runs, cores))
        found.append(_shared_memory(max(item.run.ranks_per_node for item in runs)))
        saved = max(item.run.problem.y_bytes if item.run.save else 0 for item in runs)
        found.append(_disk(folder, saved + SPARE_DISK_BYTES))
    return [line for line in found if line]


def _mpirun(path: Path) -> str:
    if os.access(path, os.X_OK):
        return ""
    return f"{path} is missing or cannot be run: install the pinned packages into that environment again"


def _threads(runs: list[PlannedRun], cores: int) -> str:
    """Ranks may outnumber cores where the study asks; threads on top of them would measure only the scheduler."""
    run = max((item.run for item in runs), key=lambda run: run.ranks_per_node * run.threads)
    wanted = run.ranks_per_node * run.threads
    if run.threads == 1 or wanted <= cores:
        return ""
    return (
        f"{run.ranks_per_node} ranks of {run.threads} threads want {wanted} cores of {cores}: lower threads or --ranks"
    )


def _shared_memory(ranks: int) -> str:
    needed = ranks * SHARED_MEMORY_BYTES_PER_RANK
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free >= needed:
        return ""
    return f"{SHARED_MEMORY} has {free} bytes free, {ranks} ranks need {needed}: enlarge it or give fewer ranks"


def _disk(folder: Path, needed: int) -> str:
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return ""
    return f"{folder} has {free} bytes free on its disk, the sweep needs {needed}: free some or give another --out"
