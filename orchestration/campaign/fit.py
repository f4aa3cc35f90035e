"""Whether a cluster can hold any run of a study, told before it is up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration import experiments
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.experiments.experiment import PlanBasis
from orchestration.planning import code_version
from orchestration.planning.cores import node_cpus
from orchestration.planning.plan import skip_reason
from orchestration.sweep.prepare import Request, Surroundings


def why_not(found: Inventory, request: Request, surroundings: Surroundings) -> str:
    """Why no run of the study can be made there, by the inventory alone; empty where one can, or nothing says.

    What runs take of memory is predicted of the convolution; of a person's program its study may state it.
    """
    machines = _machines(found)
    basis = PlanBasis(
        found,
        machines,
        node_cpus(machines),
        code_version.describe(surroundings.root),
        cache=surroundings.runs.folder.absolute(),
    )
    try:
        experiment, loaded = experiments.load(request.study, request.overrides)
        _, plan = experiment.plan(loaded, basis)
    except Refusal as refusal:
        return str(refusal)
    reasons = [skip_reason(item, found, machines) for item in plan.runs]
    return "" if None in reasons or request.flags.force else f"no run of the study can be made there: {reasons[0]}"


def _machines(found: Inventory) -> list[Mapping[str, Any]]:
    """What the nodes would say of themselves, as far as the inventory knows it: every slot is a core of its own."""
    return [
        {
            "node": node.name,
            "boot_id": node.name,
            "cores": node.slots,
            "threads": node.slots,
            "memory_bytes": node.memory_bytes,
        }
        for node in found.nodes
    ]
