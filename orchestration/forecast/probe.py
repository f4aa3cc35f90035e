"""Probes a cluster: one job of workload.probe on all its slots; the answer is kept beside the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.clusters.folder import home
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.executors.connect import connect
from orchestration.jobs.answer import answer, answer_arguments, every_slot
from orchestration.jobs.executor import Executor
from orchestration.jobs.job import JobRequest
from orchestration.jobs.loop import job_loop
from orchestration.paths import SweepPaths
from orchestration.planning.binding import binding_of
from orchestration.planning.cores import node_cpus
from orchestration.python import isolated
from orchestration.sweep.locks import Turn, this_machine_held
from orchestration.sweep.prepare import Surroundings
from workload.record.files import read_json, write_json
from workload.record.schema import SchemaError, check_version

PROGRAM = ("-m", "workload.probe.run")
PROBE = "probe.json"
RESIDUALS = "residuals.json"  # beside it: how far forecasts were off
TIMEOUT_S = 300.0
NAME = "b0be000000000000"  # in the place of a run's id: it stands in tokens, which are hex digits


def path_of(cluster: str, root: Path) -> Path:
    """Where the probe of a cluster's name, or of the path of an inventory.json, is kept."""
    named = "/" in cluster or cluster.endswith(".json")
    folder = Path(cluster).expanduser().absolute().parent if named else home(root).absolute() / cluster
    return folder / PROBE


def measure(cluster: str, surroundings: Surroundings, turn: Turn) -> tuple[Path, Mapping[str, Any]]:
    """Probes the cluster and writes its probe.json, whole or not at all; returns its path and content.

    Raises Refusal, and Stopped where the probe failed.
    """
    utc = surroundings.utc_now()
    inventory = surroundings.clusters.find(cluster, utc)
    executor = connect(inventory, surroundings.environment)
    paths = SweepPaths(surroundings.runs.folder.absolute() / ".probes" / inventory.cluster)
    with this_machine_held(executor, inventory, paths, utc, turn) as beside:
        found = _carry_out(inventory, executor, paths)
    document = {**found, "cluster": inventory.cluster, "measured_utc": surroundings.utc_now()}
    document |= {"beside": beside} if beside else {}
    target = path_of(surroundings.clusters.kept_as(cluster), surroundings.root)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, document)
    except OSError as error:
        raise Refusal(f"{target} cannot be written ({error.strerror})") from error
    return target, document


def residuals(cluster: str, root: Path) -> tuple[Path, Mapping[str, Any] | None]:
    """Where the errors of a cluster's forecasts are kept, and what is there; None where nothing is. Raises Refusal."""
    path = path_of(cluster, root).with_name(RESIDUALS)
    try:
        return path, read_json(path)
    except FileNotFoundError:
        return path, None
    except (OSError, SchemaError) as error:
        raise Refusal(f"{path} cannot be read ({error}): remove it, the next sweep makes another") from error


def keep_residuals(cluster: str, root: Path, document: Mapping[str, Any]) -> None:
    """Writes them, whole or not at all. Raises Refusal."""
    path = path_of(cluster, root).with_name(RESIDUALS)
    try:
        write_json(path, document)
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror})") from error


def read(cluster: str, root: Path) -> Mapping[str, Any]:
    """The probe that is kept of a cluster. Raises Refusal where there is none that can be read."""
    path = path_of(cluster, root)
    try:
        return read_json(path)
    except FileNotFoundError:
        raise Refusal(f"cluster {cluster} was never probed: run 'fab probe --cluster {cluster}'") from None
    except (OSError, SchemaError) as error:
        raise Refusal(f"{path} cannot be read ({error}): run 'fab probe --cluster {cluster}' again") from error


def _carry_out(inventory: Inventory, executor: Executor, paths: SweepPaths) -> Mapping[str, Any]:
    machines = executor.machines()
    most = max(node.slots for node in inventory.nodes)
    cpus = node_cpus(machines)
    binding = binding_of(most, 1, cpus)
    request = JobRequest(
        every_slot(inventory, binding),
        TIMEOUT_S,
        lambda folders: isolated(inventory.python, "-m", "mpi4py", *PROGRAM, *answer_arguments(folders.job)),
    )
    try:
        paths.jobs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{paths.jobs} cannot be made ({error.strerror}): make it writable") from error
    loop = job_loop(executor, inventory, cpus)
    return answer(loop, paths.job(NAME), request, "the probe", lambda found: check_version(found, "the probe"))
