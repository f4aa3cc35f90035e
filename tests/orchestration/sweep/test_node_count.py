"""Plans of a sweep that has a Slurm job for each number of nodes: every job plans for those of the largest."""

import pytest

from orchestration.clusters.inventory import SlurmJob
from orchestration.errors import Refusal
from orchestration.paths import SweepPaths
from orchestration.planning.cores import node_cpus
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.node_count import planned_nodes
from orchestration.sweep.resume import facts, interchangeable
from tests.orchestration.support import make_inventory
from workload.record.files import write_json


def inventory(nodes, slurm=True):
    job = {"slurm": SlurmJob(cluster="birch", job=7, partition="main")} if slurm else {}
    return make_inventory(4, nodes).model_copy(update=job)


def machines(nodes, cores=4):
    usable = {"cores": cores, "threads": cores, "core_list": None}
    kept = {"cpu_model": "A", "cores": cores, "threads": cores, "memory_bytes": 2**34, "usable": usable}
    return [{"node": f"host{n}", "boot_id": f"boot {n}", "kernel": "6.1", **kept} for n in range(nodes)]


def begun(folder, nodes, cores=4):
    """The folder of a sweep that a job of so many nodes began."""
    paths = SweepPaths(folder)
    found = facts(interchangeable(machines(nodes, cores), "main"), [4] * nodes)
    Ledger(paths.ledger).append("planned", "2026-01-01T00:00:00Z", facts=dict(sorted(found.items())))
    write_json(paths.inventory, inventory(nodes).model_dump(mode="json"))
    return folder


def test_the_largest_job_plans_for_its_own_nodes(tmp_path):
    ours, here = inventory(3), machines(3)
    assert planned_nodes(3, ours, here, tmp_path) == (ours, here)
    assert planned_nodes(None, ours, here, None) == (ours, here)


def test_a_smaller_one_plans_for_those_that_the_largest_found(tmp_path):
    """Of twelve nodes, whose names do not stand in the order of letters in the ledger."""
    every, found = planned_nodes(12, inventory(2), machines(2), begun(tmp_path, 12))
    assert [node.name for node in every.nodes] == ["node1", "node2", *(f"main-{n}" for n in range(3, 13))]
    assert every.slots == 48
    assert found[:2] == machines(2)
    assert node_cpus(found) == node_cpus(machines(12))
    whole = facts(interchangeable(machines(12), "main"), [4] * 12)
    assert facts(interchangeable(found, "main"), [4] * 12) == whole


def test_nodes_of_another_kind_are_not_taken_for_the_sweeps(tmp_path):
    _, found = planned_nodes(3, inventory(2), machines(2, cores=8), begun(tmp_path, 3))
    assert [machine["cores"] for machine in found] == [8, 8, 4]


@pytest.mark.parametrize(
    ("count", "nodes", "slurm", "said"),
    [
        (2, 3, True, "--planned-nodes 2: this job has 3 nodes; give a number of at least that"),
        (4, 2, True, "is not begun, and this job has 2 nodes: a job of 4 is to begin it"),
        (4, 2, False, "--planned-nodes is for jobs of Slurm's"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, count, nodes, slurm, said):
    with pytest.raises(Refusal, match=said):
        planned_nodes(count, inventory(nodes, slurm), machines(nodes), tmp_path)


def test_another_number_than_the_sweeps_is_refused(tmp_path):
    with pytest.raises(Refusal, match=r"--planned-nodes 4: .* was planned for 3; give that number"):
        planned_nodes(4, inventory(2), machines(2), begun(tmp_path, 3))
