"""Jobs that measure something about a cluster on all of its slots: the probe and the canary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Stopped
from orchestration.jobs.evidence import log_tail
from orchestration.jobs.executor import Executor, HeadLostError
from orchestration.jobs.job import LOG, MEASUREMENT, JobRequest
from orchestration.jobs.launchers.placement import Placement
from orchestration.jobs.loop import JobLoop
from workload.agent.supervise import EXIT, JOB
from workload.record.schema import SchemaError

LIMIT_BYTES = 16 * 2**20
TAIL_BYTES = 2**16


def every_slot(inventory: Inventory, binding: str = "none") -> Placement:
    """One rank of one thread on every slot of every node."""
    most = max(node.slots for node in inventory.nodes)
    return Placement(inventory.slots, len(inventory.nodes), most, 1, binding)


def answer_arguments(folder: PurePosixPath) -> list[str]:
    """The arguments that say where to write the answer, and the token by which the processes are found."""
    return ["--record", str(folder / MEASUREMENT), "--token", folder.name]


def answer(
    loop: JobLoop, job: Path, request: JobRequest, what: str, check: Callable[[Mapping[str, Any]], None]
) -> Mapping[str, Any]:
    """The JSON object that the job left as its measurement; `what` names the job in messages.

    `check` raises SchemaError where the object is not of the right shape. Raises Stopped, saying why, where there is
    no answer; the job's folder is gone then too, unless the head was lost: the next job of that name removes it.
    """
    try:
        document, why = loop.carry_out(job, request, lambda job: _collect(loop.executor, job, what, check))
    except HeadLostError as error:
        raise Stopped(f"the head {error}") from error
    except OSError as error:
        raise Stopped(f"{error.filename or job}: {error.strerror or error}: {what} cannot be carried out") from error
    if document is None:
        raise Stopped(why)
    return document


def _collect(
    executor: Executor, job: Path, what: str, check: Callable[[Mapping[str, Any]], None]
) -> tuple[Mapping[str, Any] | None, str]:
    """The answer, or None and the reason."""
    try:
        content = executor.fetch(job, MEASUREMENT, LIMIT_BYTES)
        if content is not None:
            document = json.loads(content)
            if not isinstance(document, dict):
                raise SchemaError("it is no JSON object")
            check(document)
            return document, ""
        why = f"{what} gave no answer{_cause(executor, job)}"
    except (ValueError, RecursionError, SchemaError) as error:
        why = f"the answer of {what} cannot be read ({error})"
    executor.end_leftovers(job)
    return None, why


def _cause(executor: Executor, job: Path) -> str:
    """What is known about why a job left no answer."""
    lines = log_tail(executor.fetch_tail(job, LOG, TAIL_BYTES)).strip().splitlines()
    said = f"; the last line of its log: {lines[-1][:200]}" if lines else ""
    ending = json.loads(executor.fetch(job, EXIT, LIMIT_BYTES) or b"{}")
    limit_s = json.loads((job / JOB).read_text())["timeout_s"]
    late = f" within {limit_s:.0f} s: a firewall, or the wrong network between nodes" if ending.get("timed_out") else ""
    return late + said
