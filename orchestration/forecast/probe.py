"""Probes a cluster: one job of workload.probe on all its slots; the answer is kept beside the inventory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.clusters.folder import home
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal, Stopped
from orchestration.jobs.executor import Place, State
from orchestration.jobs.job import LOG, MEASUREMENT, Builder
from orchestration.paths import SweepPaths
from orchestration.planning.plan import on_every_slot
from orchestration.sweep.prepare import Surroundings, connect, cores
from workload.record.files import read_json, write_json
from workload.record.schema import SchemaError, check_version

PROGRAM = ("-m", "workload.probe.run")
PROBE = "probe.json"
RESIDUALS = "residuals.json"  # beside it: how far forecasts were off
TIMEOUT_S = 300.0
LIMIT_BYTES = 16 * 2**20
TAIL_BYTES = 4000


def path_of(cluster: str, root: Path) -> Path:
    """Where the probe of a cluster's name, or of the path of an inventory.json, is kept."""
    named = "/" in cluster or cluster.endswith(".json")
    folder = Path(cluster).expanduser().absolute().parent if named else home(root).absolute() / cluster
    return folder / PROBE


def measure(cluster: str, surroundings: Surroundings) -> tuple[Path, Mapping[str, Any]]:
    """Probes the cluster and writes its probe.json, whole or not at all; returns its path and content.

    Raises Refusal, and Stopped where the probe failed.
    """
    inventory = surroundings.clusters.find(cluster, surroundings.utc_now())
    place = connect(inventory, surroundings.environment)
    found = _carry_out(inventory, place, surroundings)
    document = {**found, "cluster": inventory.cluster, "measured_utc": surroundings.utc_now()}
    target = path_of(cluster, surroundings.root)
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


def _carry_out(inventory: Inventory, place: Place, surroundings: Surroundings) -> Mapping[str, Any]:
    fewest = cores(place.machines())
    paths = SweepPaths(surroundings.runs.folder.absolute() / ".probes" / inventory.cluster)
    binding = "core" if max(node.slots for node in inventory.nodes) <= fewest else "none"
    planned = on_every_slot(inventory, binding, TIMEOUT_S)
    job = paths.job(planned.run.run_id)
    try:
        paths.jobs.mkdir(parents=True, exist_ok=True)
        place.end_leftovers(job)  # of a probe that was cut off
        place.clean(job)
        Builder(inventory, fewest, PROGRAM, place).write(job, planned, PurePosixPath("none"), preview=False)
        place.start(job)
        return _await(place, job)
    except KeyboardInterrupt:
        place.stop(job)
        raise
    except OSError as error:
        raise Stopped(
            f"{error.filename or job}: {error.strerror or error}: the probe could not be carried out"
        ) from error
    finally:
        place.clean(job)


def _await(place: Place, job: Path) -> Mapping[str, Any]:
    if place.wait(job, TIMEOUT_S + 60) is State.ALIVE:
        place.stop(job)
    try:
        content = place.fetch(job, MEASUREMENT, LIMIT_BYTES)
        if content is None:
            said = place.fetch_tail(job, LOG, TAIL_BYTES).decode(errors="replace").strip().splitlines()
            raise Stopped(f"the probe left no answer; mpirun's last line: {said[-1] if said else 'none'}")
        document = json.loads(content)
        check_version(document, "the probe")
    except (ValueError, AttributeError, SchemaError) as error:
        raise Stopped(f"the probe's answer cannot be read ({error})") from error
    place.end_leftovers(job)
    found: Mapping[str, Any] = document
    return found
