"""A sweep in several Slurm jobs, one for each number of nodes that its runs need.

All of them plan the same runs, for as many nodes as the largest job has. That begins the sweep, so that the others know
what it found of the nodes that they lack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.inventory import read as read_inventory
from orchestration.errors import Refusal
from orchestration.paths import SweepPaths
from orchestration.planning.plan import PlannedRun
from orchestration.sweep import resume
from orchestration.sweep.ledger import Ledger

Machines = Sequence[Mapping[str, Any]]


def planned_nodes(
    count: int | None, inventory: Inventory, machines: Machines, out: Path | None
) -> tuple[Inventory, Machines]:
    """The nodes that the plan is made for: this job's first, then those that the sweep's largest job had beyond them.

    `count` is how many the largest job has, None where one job makes all runs. Raises Refusal.
    """
    here = len(inventory.nodes)
    if count is None:
        return inventory, machines
    if inventory.slurm is None or out is None:
        raise Refusal("--planned-nodes is for jobs of Slurm's that share a sweep's folder: give --out, or leave it out")
    if here > count:
        raise Refusal(f"--planned-nodes {count}: this job has {here} nodes; give a number of at least that")
    if here == count:
        return inventory, machines
    paths = SweepPaths(out.absolute())
    if not paths.ledger.exists():
        raise Refusal(f"{paths.folder} is not begun, and this job has {here} nodes: a job of {count} is to begin it")
    begun = read_inventory(paths.inventory)
    if len(begun.nodes) != count:
        raise Refusal(f"--planned-nodes {count}: {paths.folder} was planned for {len(begun.nodes)}; give that number")
    known = sorted(resume.machines(paths), key=lambda machine: int(str(machine["node"]).rpartition("-")[2]))
    absent = [
        node.model_copy(update={"name": machine["node"], "address": machine["node"]})
        for node, machine in zip(begun.nodes[here:], known[here:], strict=True)
    ]
    every = inventory.model_copy(update={"nodes": [*inventory.nodes, *absent]})
    return every, [*machines, *(resume.like(machines[0], machine) for machine in known[here:])]


def by_node_count(runs: Iterable[PlannedRun]) -> dict[str, list[str]]:
    """Run ids by how many nodes they need, the most first: the ledger's `jobs`."""
    found: dict[int, list[str]] = defaultdict(list)
    for item in runs:
        found[item.run.nodes].append(item.run.run_id)
    return {str(nodes): found[nodes] for nodes in sorted(found, reverse=True)}


def check_same_runs(paths: SweepPaths, runs: Iterable[PlannedRun]) -> None:
    """Raises Refusal where the sweep was planned with other runs than this job's nodes lead to."""
    planned = Ledger(paths.ledger).last("planned") or {}
    if {item.run.run_id for item in runs} != set(planned.get("runs", [])):
        raise Refusal(
            f"{paths.folder} was planned with other runs than this job's nodes lead to, by their CPUs that ranks may "
            "be bound to: give another --out"
        )
