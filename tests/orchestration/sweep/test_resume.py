"""What must not change within a sweep, where another Slurm job has other nodes."""

import pytest

from orchestration.sweep.resume import facts, interchangeable


def node(name: str, **changes: object) -> dict:
    return {
        "node": name, "boot_id": f"boot of {name}", "cpu_model": "A", "cores": 4, "threads": 8, "kernel": f"of {name}",
        "usable": {"cpus": "0-3", "cores": 4, "threads": 4}, "memory_bytes": 64 * 2**30 + len(name) * 4096,
        "python": "3.11.2", "numpy": "2", "mpi": "Open MPI v5.0.11", "blas": "b",
    } | changes  # fmt: skip


def of_job(*nodes: dict, partition: str = "main") -> dict:
    return facts(interchangeable(nodes, partition), [4] * len(nodes))


def test_nodes_of_a_kind_are_the_same_to_the_next_job() -> None:
    assert of_job(node("a1"), node("a2")) == of_job(node("node30"), node("node31"))


@pytest.mark.parametrize(
    "changes",
    [{"cpu_model": "B"}, {"cores": 8}, {"memory_bytes": 32 * 2**30}, {"mpi": "Open MPI v5.0.12"}],
)
def test_nodes_of_another_kind_are_not(changes: dict) -> None:
    assert of_job(node("a1"), node("a2")) != of_job(node("a1"), node("a2", **changes))


def test_another_partition_or_fewer_nodes_are_another_cluster() -> None:
    two = of_job(node("a1"), node("a2"))
    assert two != of_job(node("a1"), node("a2"), partition="other")
    assert two != of_job(node("a1"))


def test_nodes_on_one_machine_stay_so() -> None:
    apart, together = of_job(node("a1"), node("a2")), of_job(node("a1"), node("a2", boot_id="boot of a1"))
    assert apart["main-2.boot_id"] != apart["main-1.boot_id"]
    assert together["main-2.boot_id"] == together["main-1.boot_id"]
