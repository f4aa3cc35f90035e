"""The register of executors. To add one: a class that follows jobs.executor.Executor, and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.executors.local import LocalExecutor
from orchestration.executors.machine_lease import MACHINE_LOCK
from orchestration.executors.remote.executor import RemoteExecutor
from orchestration.executors.slurm import SlurmExecutor
from orchestration.jobs.executor import Executor
from orchestration.messages import unknown

Environment = Mapping[str, str]
LOCK_VARIABLE = "CONVSCALE_LOCK"  # tests have a lock of their own
EXECUTORS: Mapping[str, Callable[[Inventory, Environment], Executor]] = {
    "local": lambda inventory, environment: LocalExecutor(
        Path(inventory.workdir),
        Path(inventory.python),
        environment,
        Path(environment.get(LOCK_VARIABLE) or MACHINE_LOCK),
    ),
    "ssh": lambda inventory, _: RemoteExecutor(inventory),
    "slurm": SlurmExecutor,
}


def connect(inventory: Inventory, environment: Environment) -> Executor:
    """The executor that runs the jobs of a cluster. Raises Refusal.

    `environment` is what jobs on this machine are started with; elsewhere the head has its own.
    """
    if inventory.executor not in EXECUTORS:
        raise Refusal(f"the inventory of {inventory.cluster}: {unknown('executor', inventory.executor, EXECUTORS)}")
    return EXECUTORS[inventory.executor](inventory, environment)
