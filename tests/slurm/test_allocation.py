"""`fab sweep` inside an allocation: its nodes are the cluster, and it gets what it was granted, no more."""

import json
import sys
import tempfile

import pytest

from tests.cluster.host import wait_for
from tests.orchestration.support import refused
from tests.slurm.conftest import Login
from workload.record.kinds import read_record


def cores(record: dict) -> dict[str, list[int]]:
    """The core of each rank, by node."""
    return {item["node"]: [rank["core"] for rank in item["rank_placement"]] for item in record["machines"]}


def test_an_allocation_is_the_cluster(login: Login) -> None:
    login.study([1, 2, 4])
    done = login.salloc("--nodes=2", "--ntasks=4", "--time=20")
    assert done.returncode == 0, done.stdout + done.stderr
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 2: "ok", 4: "ok"}
    assert {ranks: sorted(cores(record)) for ranks, record in records.items()} == {
        1: ["node1"],
        2: ["node1"],
        4: ["node1", "node2"],
    }
    # each rank has a core of its own, which the ranks themselves saw
    assert {record["run"]["binding"] for record in records.values()} == {"core"}
    assert {node: sorted(found) for node, found in cores(records[4]).items()} == {"node1": [0, 1], "node2": [0, 1]}
    inventory = json.loads(login.paths.inventory.read_text())
    assert inventory["executor"] == "slurm"
    assert (inventory["slurm"]["cluster"], inventory["slurm"]["partition"]) == (login.hosts.prefix, "main")
    assert [(node["name"], node["slots"], node["memory_bytes"]) for node in inventory["nodes"]] == [
        ("node1", 2, 2000 * 2**20),
        ("node2", 2, 2000 * 2**20),
    ]
    assert inventory["expires_at"].endswith("Z")
    assert login.clear()


def test_tasks_that_lie_unevenly_are_the_slots(login: Login) -> None:
    login.study([3])
    done = login.salloc("--nodes=2", "--ntasks=3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(len(found) for found in cores(login.records()[3]).values()) == [1, 2]


def test_threads_of_a_rank_have_cores_of_their_own(login: Login) -> None:
    """One task of two CPUs a node is one slot, whose rank may use both."""
    study = login.folder / "small.toml"
    study.write_text(study.read_text().replace("ranks = [2, 4]", "ranks = [2]\nthreads = 2"))
    done = login.salloc("--nodes=2", "--ntasks=2", "--cpus-per-task=2")
    assert done.returncode == 0, done.stdout + done.stderr
    record = login.records()[2]
    assert sorted(cores(record)) == ["node1", "node2"]
    assert record["run"]["binding"] == "core"


def test_a_second_job_goes_on_where_the_first_was_ended(login: Login) -> None:
    """It has other nodes, which are of the same kind: a launch that the first did not finish is made there whole."""
    login.study([1, 4], repeats=20)
    study = login.folder / "small.toml"
    study.write_text(study.read_text().replace("launches = 1", "launches = 2"))
    first = login.sbatch("--nodes=2", "--ntasks=4", "--nodelist=node1,node2")
    wait_for(lambda: len(list(login.paths.records.glob("*.json"))) > 2)
    login.hosts.run("scancel", str(first))
    assert login.waits(first) == "CANCELLED"
    assert login.events()[-1] == "interrupted", login.said(first)
    before = {path.name: read_record(path) for path in login.paths.records.glob("*.json")}
    assert len(before) == 3
    assert {record["outcome"] for record in before.values()} == {"ok"}
    assert login.clear()
    second = login.sbatch("--nodes=2", "--ntasks=4", "--nodelist=node3,node4")
    assert login.waits(second) == "COMPLETED", login.said(second)
    assert "going on with" in login.said(second)
    after = {path.name: read_record(path) for path in login.paths.records.glob("*.json")}
    assert sorted((record["launch"], record["run"]["ranks"], record["outcome"]) for record in after.values()) == [
        (launch, ranks, "ok") for launch in range(2) for ranks in (1, 4)
    ]
    assert {record["launch"]: record["slurm"]["job"] for record in after.values()} == {0: first, 1: second}
    # no record is lost: the first launch's stand, those of the second were set aside
    assert all(after[name] == record for name, record in before.items() if record["launch"] == 0)
    assert login.set_aside() == {rec["run"]["ranks"]: rec for rec in before.values() if rec["launch"] == 1}
    nodes = {machine["node"] for record in after.values() if record["launch"] == 1 for machine in record["machines"]}
    assert nodes == {"node3", "node4"}
    assert "anew" in login.events()
    audit = login.fab_in([], "audit", "--sweep", str(login.paths.folder))
    assert "of which 0 cannot be" in audit.stdout, audit.stdout


def test_a_job_with_less_is_another_cluster(login: Login) -> None:
    login.study([1])
    assert login.salloc("--nodes=2", "--ntasks=4").returncode == 0
    done = login.salloc("--nodes=1", "--ntasks=1")
    assert done.returncode == 2
    assert "was begun under other conditions" in done.stderr


def test_this_machine_is_what_the_job_was_granted_of_it(login: Login) -> None:
    """The other core belongs to another job."""
    script = login.folder / "asleep"
    script.write_text("#!/bin/sh\nsleep 300\n")
    asked = ("--nodes=1", "--ntasks=1", "--nodelist=node1")
    login.hosts.run("sbatch", "--output=/dev/null", *asked, str(script))
    login.study([1])
    job = login.sbatch(*asked, cluster="local")
    assert login.waits(job) == "COMPLETED", login.said(job)
    (node,) = json.loads(login.paths.inventory.read_text())["nodes"]
    assert (node["slots"], node["memory_bytes"]) == (1, 1000 * 2**20)
    (machine,) = login.records()[1]["machines"]
    assert (machine["usable"]["cpus"], machine["rank_placement"][0]["core"]) == ("1", 1)


PROGRAM = """
import os, socket
from mpi4py import MPI
found = MPI.COMM_WORLD.gather((socket.gethostname(), sorted(name for name in os.environ if name.startswith("SLURM_"))))
if MPI.COMM_WORLD.rank == 0:
    print("hosts", len({host for host, _ in found}), "slurm", sum(len(names) for _, names in found))
"""


def test_a_program_on_this_machine_hears_nothing_of_a_job(login: Login) -> None:
    """On the login node the job's words would send mpirun to the job's nodes."""
    (login.folder / "told.py").write_text(PROGRAM)
    words = [sys.executable, str(login.folder / "told.py")]
    flags = ["--metric", "hosts=hosts {number}", "--metric", "variables=slurm {number}", "--mpi", "openmpi5"]
    flags += ["--ranks", "2", "--launches", "1", "--out", str(login.paths.folder)]
    done = login.fab_in(
        ["--nodes=2", "--ntasks=2"], "sweep", "--cluster", "local", "--command", " ".join(words), *flags
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--cluster slurm measures the job's nodes" in done.stdout
    record = login.records()[2]
    # SLURM_CONF, which names no job
    assert {metric["name"]: metric["value"] for metric in record["metrics"]} == {"hosts": 1, "variables": 2}


def test_check_says_what_starts_ranks(login: Login) -> None:
    done = login.fab_in(["--nodes=2", "--ntasks=4"], "check", "--cluster", "slurm", "--study", "quick")
    assert "reached, by srun" in done.stdout
    assert "srun --mpi=pmix" in done.stdout
    assert "shared by all nodes" in done.stdout


def test_where_srun_starts_no_ranks_mpirun_does_from_the_first_node(login: Login) -> None:
    login.study([1, 4])
    job = login.sbatch("--nodes=2", "--ntasks=4", settings=login.hosts.without_mpi)
    assert login.waits(job) == "COMPLETED", login.said(job)
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 4: "ok"}
    assert {record["run"]["binding"] for record in records.values()} == {"core"}
    assert {node: sorted(found) for node, found in cores(records[4]).items()} == {"node1": [0, 1], "node2": [0, 1]}
    by = {event["by"] for event in login.ledger() if event["event"] == "started"}
    assert by == {"mpirun, for srun offers no pmix (cray_shasta)"}
    assert login.clear()


def test_mpirun_is_not_started_from_elsewhere(login: Login) -> None:
    done = login.end(
        login.start(
            ["salloc", "--quiet", "--nodes=2", "--ntasks=4", *login.words("bare")],
            environment={"SLURM_CONF": str(login.hosts.without_mpi)},
        )
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "convscale: mpirun, for srun offers no pmix (cray_shasta), and mpirun starts ranks from the job's first node, "
        "node1, alone: use 'fab submit', or start fab by sbatch"
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "there is no Slurm job here: 'fab submit --cluster slurm' makes one, or start fab inside one"),
        ({"SLURM_JOB_ID": "4711"}, "Invalid job id specified"),
        ({"SLURM_JOB_ID": "x"}, "SLURM_JOB_ID = 'x' is no job's number"),
    ],
)
def test_without_a_job_there_is_no_cluster(login: Login, environment: dict, said: str) -> None:
    done = refused("sweep", "--cluster", "slurm", **login.hosts.environment | environment)
    assert said in done


def test_a_folder_that_nodes_do_not_share_is_refused(login: Login) -> None:
    """The login node's /tmp is no node's."""
    with tempfile.TemporaryDirectory(prefix="convscale-unshared-", dir="/tmp") as folder:
        done = login.salloc("--nodes=2", out=f"{folder}/out")
    assert done.returncode == 2
    assert "not all nodes share" in done.stderr
    assert "node1" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
