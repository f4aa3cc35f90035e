"""Open MPI 5's command, word for word, and what its log proves."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestration.errors import Refusal
from orchestration.jobs import launchers
from orchestration.jobs.launchers.launcher import Hosts, KilledRank, RemoteShell, Scratch
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.launchers.placement import NodeCpus, Placement

HERE = Hosts(python=PurePosixPath("/v/bin/python"), cpus=NodeCpus(4, 4))
TCP = replace(HERE, transport="tcp", interface_subnet="10.0.0.0/24", hostfile=PurePosixPath("/h"), cpus=NodeCpus(2, 2))
FABRIC = replace(HERE, hostfile=PurePosixPath("/h"))
SCRATCH = Scratch(session=PurePosixPath("/tmp/c/t"), shared_memory=PurePosixPath("/dev/shm/convscale-t"))
SHELL = RemoteShell(
    known_hosts=PurePosixPath("/j/known_hosts-t"),
    user="u",
    workdir=PurePosixPath("/w"),
    token="t",  # noqa: S106  a job's
    make=(SCRATCH.session, SCRATCH.shared_memory),
    limit_s=90.0,
)
FOUR = Placement(ranks=4, nodes=1, ranks_per_node=4, binding="core")
TWO_NODES = Placement(ranks=4, nodes=2, ranks_per_node=2)
SSH = (
    "--prtemca plm_ssh_args -o UserKnownHostsFile=/j/known_hosts-t -o BatchMode=yes -o StrictHostKeyChecking=yes "
    "-o ConnectTimeout=4 -o ServerAliveInterval=2 -o ServerAliveCountMax=3 -o User=u --prtemca plm_ssh_no_tree_spawn 1 "
    "--prtemca oob_tcp_keepalive_time 4 --prtemca oob_tcp_keepalive_intvl 2 --prtemca oob_tcp_keepalive_probes 3"
)
ATTENDED = (
    " --prtemca prte_launch_agent env -C /w /v/bin/python -E -s -m workload.agent.daemon --token t --limit-s 90 "
    "--make /tmp/c/t --make /dev/shm/convscale-t prted"
)
UNATTENDED = " --prtemca prte_launch_agent env HOME=/dev/null LD_LIBRARY_PATH=/v/lib:/v/lib/openmpi prted"
CPU_LIST = "--prtemca hwloc_default_cpu_list 4-7"
OSC = "--mca osc ^ucx"
YIELD = "--mca mpi_yield_when_idle 1"
FOLDERS = (
    "--mca btl_sm_backing_directory /dev/shm/convscale-t --mca osc_sm_backing_directory /dev/shm/convscale-t "
    "--prtemca prte_tmpdir_base /tmp/c/t"
)
NODE = "--mca pml ob1 --mca btl self,sm"
OVERSUBSCRIBE = "--map-by slot:OVERSUBSCRIBE --bind-to none"
SUBNET = "--mca btl_tcp_if_include 10.0.0.0/24"
DAEMONS = "--prtemca oob_tcp_if_include 10.0.0.0/24"


def threads(count):
    return " ".join(f"-x {name}={count}" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"))


@pytest.mark.parametrize(
    ("placement", "hosts", "words"),
    [
        (FOUR, HERE, f"-n 4 --map-by slot --bind-to core {NODE} {OSC} {FOLDERS} {threads(1)}"),
        (replace(FOUR, binding="none"), HERE, f"-n 4 {OVERSUBSCRIBE} {NODE} {OSC} {FOLDERS} {threads(1)}"),
        (
            replace(FOUR, ranks=2, ranks_per_node=2, threads=2),
            HERE,
            f"-n 2 --map-by slot:PE=2 --bind-to core {NODE} {OSC} {FOLDERS} {threads(2)}",
        ),
        # ranks stay within the cores that they may use
        (
            FOUR,
            replace(HERE, cpus=NodeCpus(4, 4, core_list="4-7")),
            f"-n 4 {CPU_LIST} --map-by slot --bind-to core {NODE} {OSC} {FOLDERS} {threads(1)}",
        ),
        # ranks that share cores give way to each other
        (
            FOUR,
            replace(HERE, cpus=NodeCpus(3, 3)),
            f"-n 4 --map-by slot --bind-to core {NODE} {OSC} {YIELD} {FOLDERS} {threads(1)}",
        ),
        # two threads of a core are no reason to give way, and no core stays idle while others have two ranks
        (
            replace(FOUR, binding="hwthread"),
            replace(HERE, cpus=NodeCpus(2, 2)),
            f"-n 4 --map-by core:HWTCPUS --bind-to hwthread {NODE} {OSC} {FOLDERS} {threads(1)}",
        ),
        (
            replace(FOUR, ranks=2, ranks_per_node=2, threads=2, binding="hwthread"),
            replace(HERE, cpus=NodeCpus(2, 2)),
            f"-n 2 --map-by slot:PE=2:HWTCPUS --bind-to hwthread {NODE} {OSC} {FOLDERS} {threads(2)}",
        ),
        # one node of several: no daemon, no TCP
        (
            replace(FOUR, ranks=2, ranks_per_node=2, binding="none"),
            replace(TCP, shell=SHELL),
            f"-n 2 --hostfile /h {OVERSUBSCRIBE} {NODE} {OSC} {FOLDERS} {threads(1)}",
        ),
        (
            TWO_NODES,
            TCP,
            f"-n 4 --hostfile /h {OVERSUBSCRIBE} {DAEMONS} {NODE},tcp {SUBNET} {OSC} {FOLDERS} {threads(1)}",
        ),
        # a fabric of a person's own is left to Open MPI
        (TWO_NODES, FABRIC, f"-n 4 --hostfile /h {OVERSUBSCRIBE} {OSC} {FOLDERS} {threads(1)}"),
        # the network of daemons is named whatever carries the messages
        (
            TWO_NODES,
            replace(FABRIC, interface_subnet="10.0.0.0/24"),
            f"-n 4 --hostfile /h {OVERSUBSCRIBE} {DAEMONS} {SUBNET} {OSC} {FOLDERS} {threads(1)}",
        ),
        (
            TWO_NODES,
            replace(FABRIC, shell=SHELL),
            f"-n 4 --hostfile /h {OVERSUBSCRIBE} {SSH}{ATTENDED} {OSC} {FOLDERS} {threads(1)}",
        ),
        (
            TWO_NODES,
            replace(FABRIC, shell=replace(SHELL, token="", make=())),
            f"-n 4 --hostfile /h {OVERSUBSCRIBE} {SSH}{UNATTENDED} {OSC} {FOLDERS} {threads(1)}",
        ),
    ],
)
def test_command(placement, hosts, words):
    made = OpenMpi5().command(placement, hosts, SCRATCH, ["/v/bin/python", "-m", "x"])
    assert " ".join(made.argv) == f"/v/bin/mpirun {words} /v/bin/python -m x"
    assert made.environment == {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "HOME": "/dev/null",
        "OMPI_MCA_mca_base_param_files": "none",
        "PMIX_MCA_mca_base_param_files": "none",
        "PRTE_MCA_prte_default_hostfile": "none",
    }


def test_no_word_of_what_mpirun_takes_apart_holds_a_space():
    argv = OpenMpi5().command(TWO_NODES, replace(FABRIC, shell=SHELL), SCRATCH, []).argv
    settings = {argv[n + 1]: argv[n + 2] for n, word in enumerate(argv) if word == "--prtemca"}
    assert settings["prte_launch_agent"].split(" ")[-1] == "prted"
    assert settings["plm_ssh_args"].split(" ")[::2] == ["-o"] * 7


LOST = """
PRTE has lost communication with a remote daemon.

  HNP daemon   : [prterun-node1-99@0,0] on node node1
  Remote daemon: [prterun-node1-99@0,2] on node node3
"""
KILLED = "prterun noticed that process rank 1 with PID 6707 on node vm exited on\nsignal 9 (Killed).\n"
UNREPORTED = """
A daemon failed to report back after being spawned. This could
be due to several factors, including inability to find the

  Local host:    node1
  Remote host:   node2
"""


@pytest.mark.parametrize(
    ("status", "log", "found"),
    [
        (0, "", {}),
        (137, KILLED, {"killed": KilledRank(1, "vm", 9)}),
        (0, LOST, {"lost_daemon": True, "lost_nodes": ["node3"]}),
        (255, "Timeout, server 10.0.0.2 not responding.\r\n", {"lost_nodes": ["10.0.0.2"]}),
        (255, "Connection to 10.0.0.2 closed by remote host.\r\n", {"lost_nodes": ["10.0.0.2"]}),
        (None, "", {"not_started": "mpirun could not start"}),
        (1, UNREPORTED, {"not_started": "mpirun could not start its daemon on node2"}),
        (
            1,
            "Host key verification failed.\n" + UNREPORTED,
            {"not_started": "mpirun could not start its daemon on node2: Host key verification failed."},
        ),
        (
            1,
            "There are not enough slots available in the system",
            {"not_started": "mpirun could not start: There are not enough slots available in the system"},
        ),
    ],
)
def test_evidence(status, log, found):
    evidence = OpenMpi5().evidence(status, log)
    nothing = {"killed": None, "lost_daemon": False, "lost_nodes": [], "not_started": None}
    assert {name: getattr(evidence, name) for name in nothing} == nothing | found


def test_an_unknown_launcher_is_refused_by_name():
    with pytest.raises(Refusal, match=r"launcher 'openmpi6' is unknown.*did you mean openmpi5"):
        launchers.find("openmpi6")
