"""srun's command and what its log proves; the logs are those of Slurm 22.05."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestration.clusters.inventory import SlurmJob
from orchestration.errors import Refusal
from orchestration.jobs import launchers
from orchestration.jobs.launchers.launcher import Hosts, KilledRank, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from orchestration.jobs.launchers.srun import Srun

TOKEN = "0123456789abcdef-01234567"
SCRATCH = Scratch(PurePosixPath(f"/s/{TOKEN}"), PurePosixPath(f"/dev/shm/convscale-{TOKEN}"))
HOSTS = Hosts(
    python=PurePosixPath("/v/bin/python"),
    cpus=NodeCpus(2, 4),
    interface_subnet="10.0.0.0/24",
    job=PurePosixPath(f"/runs/.jobs/{TOKEN}"),
    slots=[("node1", 2), ("node2", 2)],
    slurm_job=42,
)
STEP = f"srun --jobid=42 --job-name={TOKEN} --mpi=pmix --overlap --mem=0"
FILES = f"--distribution=arbitrary --nodelist=/runs/.jobs/{TOKEN}/ranks-by-node"
END = (
    f"--kill-on-bad-exit=1 --task-prolog=/runs/.jobs/{TOKEN}/make-folder "
    f"--task-epilog=/runs/.jobs/{TOKEN}/remove-folder python"
)


def job(*ways, **chosen):
    """A job whose srun offers these ways, on a cluster that chooses these launchers."""
    return SlurmJob(job=42, partition="main", mpi=ways, launchers=chosen)


def command(placement, hosts=HOSTS, launcher="openmpi5"):
    return launchers.find(launcher, job("pmix", "pmi2")).command(placement, hosts, SCRATCH, ["python"])


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        (
            Placement(4, 2, 2, 1, "core"),
            f"--nodes=2 --ntasks=4 --cpus-per-task=1 {FILES} --cpu-bind=cores --threads-per-core=1",
        ),
        (Placement(2, 1, 2, 2, "hwthread"), f"--nodes=1 --ntasks=2 --cpus-per-task=2 {FILES} --cpu-bind=threads"),
        (Placement(8, 2, 4), f"--nodes=2 --ntasks=8 --cpus-per-task=1 {FILES} --cpu-bind=none --overcommit"),
    ],
)
def test_binding_and_cpus_of_a_task_are_ours_to_say(placement, words):
    assert " ".join(command(placement).argv) == f"{STEP} {words} {END}"


@pytest.mark.parametrize(
    ("ranks", "slots", "lines"),
    [
        (3, [("node1", 2), ("node2", 1)], "node1 node1 node2"),
        (2, [("node1", 1), ("node2", 1)], "node1 node2"),
        # oversubscribed: all nodes alike, each one's ranks together
        (5, [("node1", 2), ("node2", 1)], "node1 node1 node1 node2 node2"),
    ],
)
def test_each_rank_has_its_node(ranks, slots, lines):
    made = command(Placement(ranks, 2, 2), replace(HOSTS, slots=slots))
    assert made.scripts["ranks-by-node"].split() == lines.split()


def test_ranks_are_told_by_their_environment_what_mpirun_would_tell_them():
    assert command(Placement(4, 2, 2, 1, "core")).environment == {
        "HOME": "/dev/null",
        "OMPI_MCA_mca_base_param_files": "none",
        "OMPI_MCA_btl_tcp_if_include": "10.0.0.0/24",
        "OMPI_MCA_osc": "^ucx",
        "OMPI_MCA_btl_sm_backing_directory": f"/dev/shm/convscale-{TOKEN}",
        "OMPI_MCA_osc_sm_backing_directory": f"/dev/shm/convscale-{TOKEN}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    assert command(Placement(2, 1, 2, 1, "core")).environment["OMPI_MCA_btl"] == "self,sm"


@pytest.mark.parametrize(("launcher", "pmi"), [("openmpi5", "pmix"), ("openmpi4", "pmix"), ("mpich", "pmi2")])
def test_each_mpi_has_its_way_to_find_the_other_ranks(launcher, pmi):
    assert f"--mpi={pmi}" in command(Placement(2, 1, 2), launcher=launcher).argv


@pytest.mark.parametrize(("launcher", "pmi"), [("openmpi5", "pmix"), ("openmpi4", "pmix"), ("mpich", "pmi2")])
def test_where_srun_lacks_that_way_the_mpis_own_launcher_starts_its_daemons_by_srun(launcher, pmi):
    others = [way for way in ("cray_shasta", "pmi2", "pmix") if way != pmi]
    found = launchers.find(launcher, job(*others))
    assert launchers.told(launcher, job(*others)) == f"mpirun, for srun offers no {pmi} ({', '.join(others)})"
    assert launchers.told(launcher, job(pmi)) == f"srun --mpi={pmi}"
    shell = RemoteShell(
        PurePosixPath("/k"), "", PurePosixPath("/w"), TOKEN, make=(SCRATCH.session,), limit_s=9, slurm_job=42
    )
    hosts = replace(HOSTS, shell=shell, hostfile=PurePosixPath("/hosts"))
    made = found.command(Placement(4, 2, 2, 1, "core"), hosts, SCRATCH, ["python"])
    ((name, script),) = made.scripts.items()
    assert f"{HOSTS.job / name}" in made.argv
    assert "ssh -" not in script
    assert f"srun --jobid=42 --job-name={TOKEN} --quiet --overlap" in script
    assert not any("srun" in word for word in made.argv)


def test_where_srun_does_not_say_it_is_tried():
    assert isinstance(launchers.find("openmpi5", job()), Srun)


def test_a_cluster_chooses_by_mpi():
    """Beside what it chooses for one MPI, what works starts the ranks of others."""
    chosen = job("pmix", "pmi2", openmpi4="mpirun", mpich="srun")
    assert [launchers.told(name, chosen) for name in ("openmpi4", "openmpi5", "mpich")] == [
        "mpirun, as cluster.toml chooses",
        "srun --mpi=pmix",
        "srun --mpi=pmi2",
    ]
    assert not isinstance(launchers.find("openmpi4", chosen), Srun)


def test_srun_is_not_chosen_where_it_cannot():
    with pytest.raises(Refusal, match=r"srun is chosen for mpich, but offers no pmi2 \(pmix\): leave launcher out of"):
        launchers.find("mpich", job("pmix", mpich="srun"))


def test_what_needs_no_launcher_needs_no_srun():
    assert not isinstance(launchers.find("direct", job("pmix", "pmi2")), Srun)


KILLED = """
srun: error: node2: task 3: Killed
srun: launch/slurm: _step_signal: Terminating StepId=7.5
slurmstepd-node1: error: *** STEP 7.5 ON node1 CANCELLED AT 2026-11-30T00:42:43 ***
srun: error: node1: tasks 0-1: Killed
"""
SEGMENTATION = "srun: error: node1: tasks 0-1: Segmentation fault (core dumped)\n"
TOO_MANY = "srun: error: Unable to create step for job 5: Requested node configuration is not available\n"
NO_PROGRAM = "slurmstepd-node2: error: execve(): /no/such: No such file or directory\n"
MEMORY = """
slurmstepd-node1: error: Detected 1 oom-kill event(s) in StepId=27.0. Some of your processes may have been killed by the cgroup out-of-memory handler.
srun: error: node2: task 2: Killed
srun: error: node1: task 1: Out Of Memory
srun: launch/slurm: _step_signal: Terminating StepId=27.0
slurmstepd-node1: error: *** STEP 27.0 ON node1 CANCELLED AT 2026-11-30T01:25:02 ***
srun: error: node2: tasks 2-3: Terminated
"""  # noqa: E501  as Slurm wrote it
NODE_FAILURE = """
srun: error: Node failure on node2
srun: Job step aborted: Waiting up to 7 seconds for job step to finish.
slurmstepd-node1: error: *** STEP 9.0 ON node1 CANCELLED AT 2026-11-30T00:50:12 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***
"""  # noqa: E501  as Slurm wrote it


@pytest.mark.parametrize(
    ("status", "log", "found"),
    [
        (0, "", {}),
        (137, KILLED, {"killed": KilledRank(3, "node2", 9)}),
        (137, SEGMENTATION, {"killed": KilledRank(None, "node1", 11)}),
        (1, "srun: error: node1: task 0: Exited with exit code 1\n", {}),
        (1, TOO_MANY, {"not_started": f"srun could not start: {TOO_MANY.strip()}"}),
        (2, NO_PROGRAM, {"not_started": f"srun could not start: {NO_PROGRAM.strip()}"}),
        (None, "", {"not_started": "srun could not start"}),
        (1, MEMORY, {"killed": KilledRank(1, "node1", 9), "out_of_memory": ["node1"]}),
        (137, NODE_FAILURE, {"lost_daemon": True, "lost_nodes": ["node2"]}),
    ],
)  # fmt: skip
def test_evidence(status, log, found):
    evidence = launchers.find("openmpi5", job("pmix", "pmi2")).evidence(status, log)
    nothing = {"killed": None, "lost_daemon": False, "lost_nodes": [], "not_started": None, "out_of_memory": []}
    assert {name: getattr(evidence, name) for name in nothing} == nothing | found
    assert evidence.program == "srun"
