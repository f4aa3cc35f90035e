"""Can this cluster run this plan? `problems` says all that is wrong to a sweep, `everything` to `fab check`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestration.checks import gpus, nodes, shared_memory
from orchestration.checks.canary import measure
from orchestration.checks.nodes import OF_EACH_RUN, SPARE_DISK_BYTES, WAITS, Check, Wanted
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal, Stopped
from orchestration.jobs.executor import Executor
from orchestration.jobs.loop import job_loop
from orchestration.paths import SweepPaths
from orchestration.planning.cores import fewest_cores, node_cpus, share_cores
from orchestration.planning.plan import SHARED_MEMORY_BYTES_PER_RANK, PlannedRun
from orchestration.ssh.connection import Connection, UnreachableError, target

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where Open MPI puts its segments


def problems(
    runs: Iterable[PlannedRun], inventory: Inventory, cores: int, folder: Path, remote: list[Check] | None = None
) -> list[str]:
    """One line each; empty where nothing is wrong. `folder` is where the sweep's files go; `cores` a node's.

    `remote` holds the checks of the nodes where they are not this machine.
    """
    runs = list(runs)
    found: list[str] = []
    if remote is None:
        found.append(_mpirun(Path(inventory.python).parent / "mpirun"))
    else:
        found += [fault for check in remote if check.name not in OF_EACH_RUN for fault in check.faults]
    if runs:
        found.append(_threads(runs, cores))
        if remote is None:
            found.append(_shared_memory(max(item.run.ranks_per_node for item in runs)))
        saved = max(item.disk_bytes for item in runs)
        found.append(_disk(folder, saved + SPARE_DISK_BYTES))
    return [line for line in found if line]


def of_nodes(executor: Executor, inventory: Inventory, wanted: Wanted) -> list[Check] | None:
    """The checks that the nodes' own words decide; None where the only node is this machine."""
    descriptions = executor.descriptions()
    return None if descriptions is None else nodes.of_nodes(inventory, descriptions, wanted)


def everything(
    executor: Executor, inventory: Inventory, wanted: Wanted, folder: Path, runs: Sequence[PlannedRun] | None = None
) -> list[Check]:
    """All checks, the slow ones too: every pair of nodes, MPI over all ranks, a canary on every node.

    `runs` are the study's, None where the nodes could not be asked what it would be on them. MPI is tried only where
    nothing else is wrong: it might hang. Raises Refusal where the head cannot be reached.
    """
    found = of_nodes(executor, inventory, wanted)
    if found is not None:
        if (pairs := executor.unreached_pairs()) is not None:
            found += [direct(inventory), nodes.neighbours(inventory.nodes, pairs)]
    else:
        faults = problems([], inventory, 1, folder)
        found = [Check("mpirun beside python", inventory.python.rpartition("/")[0], tuple(faults))]
        found.append(
            Check("shared memory", f"{_free(SHARED_MEMORY) >> 20} MiB free", _faults(_shared_memory(inventory.slots)))
        )
    found += _gpus(executor, inventory)
    found.append(_ranks(executor, runs))
    if runs:
        machines = executor.machines()
        found += [shared_memory.windows(runs, inventory, machines), shared_memory.single_copy(machines)]
    found.append(Check("disk here", f"{_free(folder) >> 20} MiB free", _faults(_disk(folder, SPARE_DISK_BYTES))))
    if any(check.faults for check in found):
        return [*found, Check("allreduce over all ranks, canary", "waits for the rest to be mended", tried=False)]
    if not runs:
        return [*found, Check("allreduce over all ranks, canary", WAITS, tried=False)]
    return found + _canary(executor, inventory, folder)


def _gpus(executor: Executor, inventory: Inventory) -> list[Check]:
    descriptions = executor.descriptions()
    if descriptions is None:
        try:
            return gpus.of_nodes(list(zip(inventory.nodes, executor.machines(), strict=True)))
        except Refusal:  # whatever keeps it from describing itself stands in the way of its study, too
            return []
    told = zip(inventory.nodes, descriptions, strict=True)
    return gpus.of_nodes(nodes.machines([(node, item) for node, item in told if not isinstance(item, str)]))


def direct(inventory: Inventory) -> Check:
    """The nodes that the operator is to reach without the head, each by its pinned key."""
    faults, count = [], 0
    for node in inventory.nodes[1:]:
        if node.ssh is None or node.ssh.via == "head":
            continue
        count += 1
        connection = Connection(target(inventory, node))
        try:
            connection.open()
        except (Refusal, UnreachableError) as error:
            faults.append(str(error))
        finally:
            connection.close()
    return Check("reached from here", f"the head and {count} other nodes", tuple(faults))


def _ranks(executor: Executor, runs: Sequence[PlannedRun] | None) -> Check:
    """Whether the threads of the study's ranks find cores."""
    name = "ranks x threads against cores"
    if not runs:
        return Check(name, "waits for the nodes to say what they have", tried=False)
    cores = fewest_cores(executor.machines())
    most = max((item.run for item in runs), key=lambda run: run.ranks_per_node * run.threads)
    asked = ", oversubscribed as the study asks" if most.ranks_per_node * most.threads > cores else ""
    found = f"at most {most.ranks_per_node} x {most.threads} on {cores} cores of a node{asked}"
    return Check(name, found, _faults(_threads(list(runs), cores)))


def _canary(executor: Executor, inventory: Inventory, folder: Path) -> list[Check]:
    machines = executor.machines()
    paths = SweepPaths(folder.absolute() / ".checks" / inventory.cluster)
    try:
        document = measure(job_loop(executor, inventory, node_cpus(machines)), paths)
    except Stopped as stopped:
        return [Check("allreduce over all ranks", "failed", (str(stopped),))]
    return nodes.canary(document, executor.names, share_cores(machines), inventory.mixed_processors)


def _faults(line: str) -> tuple[str, ...]:
    return (line,) if line else ()


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _mpirun(path: Path) -> str:
    if os.access(path, os.X_OK):
        return ""
    return f"{path} is missing or cannot be run: install the pinned packages into that environment again"


def _threads(runs: list[PlannedRun], cores: int) -> str:
    """Ranks may outnumber cores if the study asks for it; several threads each would only measure the scheduler."""
    run = max((item.run for item in runs), key=lambda run: run.ranks_per_node * run.threads)
    wanted = run.ranks_per_node * run.threads
    if run.threads == 1 or wanted <= cores:
        return ""
    return (
        f"{run.ranks_per_node} ranks of {run.threads} threads want {wanted} cores of {cores}: lower threads or --ranks"
    )


def _shared_memory(ranks: int) -> str:
    needed = ranks * SHARED_MEMORY_BYTES_PER_RANK
    free = _free(SHARED_MEMORY)
    if free >= needed:
        return ""
    return (
        f"{SHARED_MEMORY} has {free} bytes free, {ranks} ranks need {needed}: enlarge it (a container: --shm-size) "
        "or give fewer ranks"
    )


def _disk(folder: Path, needed: int) -> str:
    free = _free(folder)
    if free >= needed:
        return ""
    return f"{folder} has {free} bytes free on its disk, the sweep needs {needed}: free some or give another --out"
