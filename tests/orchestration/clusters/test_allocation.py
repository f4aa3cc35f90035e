"""What Slurm 22.05 says of a job, word for word, and the cluster that it becomes."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.clusters.allocation import GrantedNode, told
from orchestration.errors import Refusal
from orchestration.provision.slurm import SlurmClusters, describe, network

JOB = (
    "JobId=7 JobName=interactive UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=4294901759 Nice=0 "
    "Account=(null) QOS=(null) JobState=RUNNING Reason=None Dependency=(null) Requeue=1 Restarts=0 BatchFlag=0 "
    "Reboot=0 ExitCode=0:0 DerivedExitCode=0:0 RunTime=00:00:00 TimeLimit=02:00:00 TimeMin=N/A "
    "SubmitTime=2026-11-30T00:40:37 EligibleTime=2026-11-30T00:40:37 AccrueTime=Unknown "
    "StartTime=2026-11-30T00:40:37 EndTime=2026-11-30T02:40:37 Deadline=N/A Partition=main "
    "AllocNode:Sid=localhost:16486 ReqNodeList=(null) ExcNodeList=(null) NodeList=node[1-3] BatchHost=node1 "
    "NumNodes=3 NumCPUs=8 NumTasks=5 CPUs/Task=1 ReqB:S:C:T=0:0:*:* TRES=cpu=8,mem=2500M,node=3,billing=8 "
    "Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=* JOB_GRES=(null) Nodes=node[1-2] CPU_IDs=0-1,4 Mem=1000 GRES= "
    "Nodes=node3 CPU_IDs=0-1 Mem=500 GRES= MinCPUsNode=1 MinMemoryCPU=500M MinTmpDiskNode=0 Features=(null) "
    "DelayBoot=00:00:00 OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null) Command=(null) WorkDir=/home/ada\n"
)
NODE = (
    "NodeName=node{0} Arch=x86_64 CoresPerSocket=2 CPUAlloc=2 CPUEfctv=2 CPUTot=2 AvailableFeatures=(null) "
    "ActiveFeatures=(null) Gres=(null) NodeAddr=127.0.0.{0} NodeHostName=node{0} Version=22.05.8 RealMemory=2000 "
    "AllocMem=1000 FreeMem=20512 Sockets=1 Boards=1 State=MIXED ThreadsPerCore={1} TmpDisk=0 Weight=1 Owner=N/A "
    "Partitions=main BootTime=2026-11-30T00:32:18\n"
)
CONFIG = """Configuration data as of 2026-11-30T00:41:00
AccountingStorageBackupHost = (null)
ClusterName             = birch
CommunicationParameters = (null)
"""
MPI = """MPI plugin types are...
\tpmix
\tnone
\tcray_shasta
\tpmi2
specific pmix plugin versions available: pmix_v4
"""
ENVIRONMENT = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "5", "SLURM_TASKS_PER_NODE": "2(x2),1"}
NAMES = {"node[1-3]": "node1\nnode2\nnode3\n", "node[1-2]": "node1\nnode2\n", "node3": "node3\n"}


def scontrol(job=JOB, threads=1):
    def run(words):
        if words == ["srun", "--mpi=list"]:
            return MPI
        kind, subject = words[2], words[-1]
        if kind == "hostnames":
            return NAMES[subject]
        if kind == "config":
            return CONFIG
        return job if kind == "job" else "".join(NODE.format(n, threads) for n in (1, 2, 3))

    return run


def test_tasks_are_slots_where_they_were_asked_for():
    found = told(ENVIRONMENT, scontrol())
    assert (found.cluster, found.job, found.partition, found.ends_at) == ("birch", 7, "main", "2026-11-30T02:40:37Z")
    assert found.nodes == tuple(
        GrantedNode(f"node{n}", f"127.0.0.{n}", slots, mib * 2**20)
        for n, slots, mib in ((1, 2, 1000), (2, 2, 1000), (3, 1, 500))
    )


@pytest.mark.parametrize(
    ("cpus", "shared"),
    [("CPUEfctv=2 CPUTot=2", False), ("CPUEfctv=3 CPUTot=3", True), ("CPUEfctv=2 CPUTot=4", False), ("CPUTot=3", True)],
)
def test_nodes_with_cpus_that_were_not_granted_are_shared(cpus, shared):
    """What Slurm keeps for the system (CPUTot less CPUEfctv) runs nobody's job."""

    def run(words):
        return scontrol()(words).replace("CPUEfctv=2 CPUTot=2", cpus)

    found = told(ENVIRONMENT, run)
    assert found.shared is shared
    assert describe(found, Path("/home/ada"), "2026-11-30T00:41:00+00:00").slurm.shared is shared


@pytest.mark.parametrize(
    "environment",
    [
        {"SLURM_JOB_ID": "7", "SLURM_TASKS_PER_NODE": "1(x3)"},
        # in a step, such as an interactive shell, the words are about the step
        {**ENVIRONMENT, "SLURM_STEP_ID": "0", "SLURM_TASKS_PER_NODE": "1"},
    ],
)
def test_else_cores_are(environment):
    assert [node.slots for node in told(environment, scontrol()).nodes] == [3, 3, 2]
    assert [node.slots for node in told(environment, scontrol(threads=2)).nodes] == [1, 1, 1]


def test_tasks_may_be_the_threads_of_a_core():
    assert [node.slots for node in told(ENVIRONMENT, scontrol(threads=2)).nodes] == [2, 2, 1]


def test_where_slurm_counts_no_memory_the_nodes_own_is_granted():
    found = told(ENVIRONMENT, scontrol(JOB.replace("Mem=1000", "Mem=0")))
    assert [node.memory_bytes // 2**20 for node in found.nodes] == [2000, 2000, 500]


def test_a_job_without_a_limit_has_no_end():
    assert told(ENVIRONMENT, scontrol(JOB.replace("EndTime=2026-11-30T02:40:37", "EndTime=Unknown"))).ends_at is None


@pytest.mark.parametrize(
    ("environment", "job", "said"),
    [
        ({"SLURM_JOB_ID": "7; rm"}, JOB, "'7; rm' is no job's number"),
        (ENVIRONMENT, JOB.replace("RUNNING", "COMPLETING"), "Slurm's job 7 is COMPLETING"),
        (ENVIRONMENT, "", "Slurm's job 7 is unknown"),
        (ENVIRONMENT, JOB.replace(" CPU_IDs", " CPUS"), "does not say what job 7 was granted of each node"),
        ({**ENVIRONMENT, "SLURM_TASKS_PER_NODE": "2"}, JOB, "does not say what job 7 was granted of each node"),
    ],
)
def test_what_is_no_allocation_is_refused(environment, job, said):
    with pytest.raises(Refusal) as refusal:
        told(environment, scontrol(job))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_cluster_ends_with_the_job():
    found = describe(told(ENVIRONMENT, scontrol()), Path("/home/ada/convscale"), "2026-11-30T00:41:00+00:00")
    assert (found.cluster, found.executor, found.slots) == ("slurm", "slurm", 5)
    assert found.slurm.model_dump() == {
        "cluster": "birch",
        "job": 7,
        "partition": "main",
        "shared": False,
        "mpi": ("cray_shasta", "pmi2", "pmix"),
        "launchers": {},
        "restarts": 0,
    }
    assert found.expires_at == "2026-11-30T02:40:37Z"
    assert found.interface_subnet == "127.0.0.0/30"


def test_without_slurm_a_job_is_refused_in_one_line(tmp_path):
    provider = SlurmClusters({"SLURM_JOB_ID": "7", "PATH": str(tmp_path)})
    assert "there is no scontrol on the PATH: load Slurm's module" in provider.status("slurm", tmp_path, "")


@given(st.lists(st.ip_addresses(v=4).map(str), min_size=2, unique=True))
def test_the_network_is_the_smallest_that_holds_every_node(addresses):
    found = ipaddress.ip_network(network(addresses))
    assert all(ipaddress.ip_address(address) in found for address in addresses)
    halves = found.subnets()
    assert not any(all(ipaddress.ip_address(address) in half for address in addresses) for half in halves)


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["10.0.0.1", None], []])
def test_of_one_node_or_an_unknown_address_there_is_none(addresses):
    assert network(addresses) is None
