"""Carries the canary (workload.canary) out on a cluster, as a job like any other, so that it leaves nothing behind."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration import outcome
from orchestration.inventory import Inventory
from orchestration.job import LOG, MEASUREMENT, Builder
from orchestration.place import HeadLostError, Place, State
from orchestration.plan import on_every_slot
from orchestration.refusal import Stopped
from workload.record import SchemaError, check_shape

TIMEOUT_S = 40.0
LIMIT_BYTES = 2**22
SHAPE = {"ranks": int, "allreduce_s": (int, float), "right": bool, "multiply_adds_per_s": dict}


def measure(place: Place, inventory: Inventory, cores: int, folder: Path) -> Mapping[str, Any]:
    """The canary's answer, on every slot of every node. Raises Stopped saying why there is none."""
    planned = on_every_slot(inventory, "none", TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix=".check-", dir=folder) as jobs:
        job = Path(jobs) / f"{secrets.token_hex(8)}-{secrets.token_hex(4)}"
        Builder(inventory, cores, ("-m", "workload.canary"), place).write(job, planned, PurePosixPath("none"), False)
        try:
            place.start(job)
            return _await(place, job)
        except HeadLostError as error:
            raise Stopped(f"the head {error}") from error
        except KeyboardInterrupt:
            place.stop(job)
            raise


def _await(place: Place, job: Path) -> Mapping[str, Any]:
    if place.wait(job, TIMEOUT_S + 20) is State.ALIVE:
        place.stop(job)
    try:
        content = place.fetch(job, MEASUREMENT, LIMIT_BYTES)
        document = json.loads(content) if content is not None else None
        if document is not None:
            check_shape(document, SHAPE, "the canary's answer")
    except (ValueError, RecursionError, SchemaError) as error:
        raise Stopped(f"the canary's answer cannot be read ({error})") from error
    if document is None:
        words = outcome.log_tail(place.fetch_tail(job, LOG, 2**16)).strip().splitlines()
        place.end_leftovers(job)
    place.clean(job)
    if document is None:
        said = f"; mpirun's last line: {words[-1][:200]}" if words else ""
        raise Stopped(f"no answer within {TIMEOUT_S:.0f} s: a firewall, or the wrong network between nodes{said}")
    found: Mapping[str, Any] = document
    return found
