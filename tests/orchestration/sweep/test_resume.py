"""Going on in another Slurm job, which has other nodes: what must not change, and which launches are begun anew."""

from types import SimpleNamespace

import pytest

from orchestration.sweep.resume import broken_off, facts, interchangeable, set_aside


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


HERE = {"cluster": "birch", "job": 8, "restarts": 0, "shared": False}
EARLIER = {**HERE, "job": 7}
REQUEUED = {**HERE, "restarts": 1}


def made_by(slurm: dict | None, outcome: str = "ok", reason: str = "") -> dict:
    return {"outcome": outcome, "reason": reason, "slurm": slurm}


def anew(launch: int, *runs: str) -> dict:
    return {"event": "anew", "launch": launch, "runs": list(runs)}


@pytest.mark.parametrize(
    ("done", "launches"),
    [
        ({"00": made_by(EARLIER), "01": made_by(EARLIER)}, []),  # whole: nothing is left of it
        ({"00": made_by(EARLIER)}, [0]),
        ({"00": made_by(REQUEUED)}, [0]),
        ({"00": made_by(EARLIER, "crashed")}, [0]),
        ({"00": made_by(EARLIER), "01": made_by(EARLIER, "skipped", "expired: 5 s are left")}, [0]),
        ({"00": made_by(EARLIER), "01": made_by(EARLIER, "skipped", "8 ranks on 4 slots")}, []),
        ({"00": made_by(EARLIER, "skipped", "expired: 5 s are left")}, []),  # nothing of it was made
        ({"00": made_by(HERE)}, []),  # by this job, whose fab was killed
        ({"00": made_by(None)}, []),  # by an older convscale, which does not say
        ({"00": made_by(EARLIER), "10": made_by(EARLIER)}, [0, 1]),
    ],
)
def test_a_launch_that_another_job_did_not_finish_is_begun_anew(done, launches) -> None:
    runs = [
        SimpleNamespace(run=SimpleNamespace(launch=launch, run_id=f"{launch}{n}"))
        for launch in range(2)
        for n in range(2)
    ]
    found = broken_off(runs, done, HERE)
    assert list(found) == launches
    assert all([item.run.run_id for item in found[launch]] == [f"{launch}0", f"{launch}1"] for launch in launches)


def test_what_was_set_aside_is_so_until_it_is_made_again() -> None:
    """A `fab` that was killed before it moved the records leaves that to the next one."""
    ended = {"event": "ended", "run_id": "00"}
    assert set_aside([ended, anew(0, "00", "01")]) == {"00", "01"}
    assert set_aside([ended, anew(0, "00", "01"), ended]) == {"01"}
