"""Carries the canary (workload.canary) out on a cluster, as a job like any other, so that it leaves nothing behind."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Stopped
from orchestration.jobs import outcome
from orchestration.jobs.executor import HeadLostError, Place, State
from orchestration.jobs.job import LOG, MEASUREMENT, Builder
from orchestration.paths import SweepPaths
from orchestration.planning.plan import PlannedRun, on_every_slot
from workload.record.schema import SchemaError, check_shape
from workload.record.token import make_token

PROGRAM = ("-m", "workload.probe.canary")
TIMEOUT_S, BRIEF_TIMEOUT_S = 40.0, 20.0
LIMIT_BYTES = 2**22
SHAPE = {"ranks": int, "allreduce_s": (int, float), "right": bool, "multiply_adds_per_s": dict}


def measure(place: Place, inventory: Inventory, cores: int, folder: Path) -> Mapping[str, Any]:
    """The canary's answer, on every slot of every node. Raises Stopped saying why there is none."""
    planned = on_every_slot(inventory, "none", TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix=".check-", dir=folder) as jobs:
        job = Path(jobs) / make_token(secrets.token_hex(8), secrets.token_hex(4))
        return _carry_out(place, Builder(inventory, cores, PROGRAM, place), planned, job)


def between(place: Place, inventory: Inventory, cores: int, paths: SweepPaths) -> Mapping[str, Any]:
    """The brief canary's answer, as it is asked for round each block of a sweep's runs: a second, the start included.

    Its job lies among the sweep's, so that what a killed `fab` leaves of it is removed as theirs is. Raises Stopped.
    """
    if lost := place.lost(len(inventory.nodes)):
        raise Stopped(f"node lost: {', '.join(lost)}")
    planned = on_every_slot(inventory, "none", BRIEF_TIMEOUT_S)
    job = paths.job(planned.run.run_id)
    return _carry_out(place, Builder(inventory, cores, (*PROGRAM, "--brief"), place), planned, job)


def by_node(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Multiply-adds a second by the inventory's name of each node; `names` from what nodes call themselves."""
    return {names.get(node, node): float(rate) for node, rate in document["multiply_adds_per_s"].items()}


def _carry_out(place: Place, builder: Builder, planned: PlannedRun, job: Path) -> Mapping[str, Any]:
    try:
        builder.write(job, planned, PurePosixPath("none"), False)
        place.start(job)
        return _await(place, job, planned.timeout_s)
    except HeadLostError as error:
        raise Stopped(f"the head {error}") from error
    except OSError as error:
        raise Stopped(f"{error.strerror or error}: {error.filename or job}") from error
    except KeyboardInterrupt:
        place.stop(job)
        place.clean(job)
        raise


def _await(place: Place, job: Path, timeout_s: float) -> Mapping[str, Any]:
    if place.wait(job, timeout_s + 20) is State.ALIVE:
        place.stop(job)
    try:
        content = place.fetch(job, MEASUREMENT, LIMIT_BYTES)
        document = json.loads(content) if content is not None else None
        if document is not None:
            check_shape(document, SHAPE, "the canary's answer")
    except (ValueError, RecursionError, SchemaError) as error:
        raise Stopped(f"the canary's answer cannot be read ({error})") from error
    words: Sequence[str] = ()
    if document is None:
        words = outcome.log_tail(place.fetch_tail(job, LOG, 2**16)).strip().splitlines()
        place.end_leftovers(job)
    place.clean(job)
    if document is None:
        said = f"; mpirun's last line: {words[-1][:200]}" if words else ""
        raise Stopped(f"no answer within {timeout_s:.0f} s: a firewall, or the wrong network between nodes{said}")
    found: Mapping[str, Any] = document
    return found
