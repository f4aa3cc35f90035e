"""The canary: two seconds of MPI on all slots and one second of arithmetic, run as a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.errors import Stopped
from orchestration.jobs.answer import answer, answer_arguments, every_slot
from orchestration.jobs.job import JobRequest
from orchestration.jobs.loop import JobLoop
from orchestration.paths import SweepPaths
from orchestration.python import isolated
from workload.record.schema import check_shape

PROGRAM = ("-m", "workload.probe.canary")
TIMEOUT_S, BRIEF_TIMEOUT_S = 40.0, 20.0
SHAPE = {"ranks": int, "allreduce_s": (int, float), "right": bool, "multiply_adds_per_s": dict}
NAME = "ca0a51000000c4ec"  # in the place of a run's id: it stands in tokens, which are hex digits


def measure(loop: JobLoop, paths: SweepPaths) -> Mapping[str, Any]:
    """The canary's answer. Raises Stopped saying why there is none."""
    return _carry_out(loop, paths, PROGRAM, TIMEOUT_S)


def between(loop: JobLoop, paths: SweepPaths) -> Mapping[str, Any]:
    """The brief canary's answer, as it is asked for round each block of a sweep's runs: a second, the start included.

    Its job lies among the sweep's, so that what a killed `fab` leaves of it is removed as theirs is. Raises Stopped.
    """
    if lost := loop.executor.lost(len(loop.writer.inventory.nodes)):
        raise Stopped(f"node lost: {', '.join(lost)}")
    return _carry_out(loop, paths, (*PROGRAM, "--brief"), BRIEF_TIMEOUT_S)


def by_node(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Multiply-adds a second by the inventory's name of each node; `names` from what nodes call themselves."""
    return {names.get(node, node): float(rate) for node, rate in document["multiply_adds_per_s"].items()}


def _carry_out(loop: JobLoop, paths: SweepPaths, program: tuple[str, ...], timeout_s: float) -> Mapping[str, Any]:
    python = loop.writer.inventory.python
    request = JobRequest(
        every_slot(loop.writer.inventory),
        timeout_s,
        lambda folders: isolated(python, "-m", "mpi4py", *program, *answer_arguments(folders.job)),
    )
    paths.jobs.mkdir(parents=True, exist_ok=True)
    return answer(loop, paths.job(NAME), request, "the canary", lambda found: check_shape(found, SHAPE, "the canary"))
