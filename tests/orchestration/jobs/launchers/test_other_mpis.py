"""Open MPI 4.1 and MPICH: their argument lists, and what their logs prove; the logs are those of 4.1.4 and 4.0.2."""

import dataclasses
import shutil
import subprocess
from pathlib import PurePosixPath

import pytest

from orchestration.jobs.launchers.launcher import Hosts, KilledRank, RemoteShell, Scratch
from orchestration.jobs.launchers.mpich import Mpich
from orchestration.jobs.launchers.openmpi4 import OpenMpi4
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.launchers.placement import NodeCpus, Placement

TOKEN = "0123456789abcdef-01234567"
SCRATCH = Scratch(PurePosixPath(f"/tmp/convscale-0/{TOKEN}"), PurePosixPath(f"/dev/shm/convscale-{TOKEN}"))
CPUS = NodeCpus(4, 8)
HERE = Hosts(PurePosixPath("/venv/bin/python"), CPUS, program=PurePosixPath("/usr/bin/mpirun.openmpi"))
SHELL = RemoteShell(PurePosixPath("/j/known"), "me", PurePosixPath("/opt/convscale"), TOKEN, (SCRATCH.session,), 90.0)
CLUSTER = Hosts(
    PurePosixPath("/venv/bin/python"),
    CPUS,
    transport="tcp",
    interface_subnet="10.0.0.0/24",
    hostfile=PurePosixPath("/j/hostfile"),
    shell=SHELL,
    job=PurePosixPath("/j"),
    slots=[("10.0.0.2", 2), ("10.0.0.3", 2)],
)
KILLED4 = """
--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun.openmpi noticed that process rank 1 with PID 0 on node node2 exited on signal 9 (Killed).
--------------------------------------------------------------------------
"""
KILLED_MPICH = """
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 4711 RUNNING AT node2
=   EXIT CODE: 9
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
===================================================================================
[proxy:0:0@node1] HYD_pmcd_pmip_control_cmd_cb (pm/pmiserv/pmip_cb.c:899): assert (!closed) failed
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)
This typically refers to a problem with your application.
Please see the FAQ page for debugging suggestions
"""


def words(launcher, placement, hosts):
    return " ".join(launcher.command(placement, hosts, SCRATCH, ["./a.out"]).argv)


@pytest.mark.parametrize(
    ("placement", "mapping"),
    [
        (Placement(2, 1, 2, 1, "core"), "--map-by slot --bind-to core"),
        (Placement(2, 1, 2, 2, "core"), "--map-by slot:PE=2 --bind-to core"),
        (Placement(8, 1, 8, 1, "hwthread"), "--use-hwthread-cpus --map-by slot --bind-to hwthread"),
        (Placement(9, 1, 9, 1, "none"), "--map-by slot:OVERSUBSCRIBE --bind-to none"),
    ],
)
def test_open_mpi_4_on_this_machine(placement, mapping):
    found = words(OpenMpi4(), placement, HERE)
    assert found.startswith(f"/usr/bin/mpirun.openmpi --noprefix -n {placement.ranks} {mapping} --mca pml ob1")
    assert found.endswith("./a.out")
    assert ("mpi_yield_when_idle" in found) == (placement.binding == "none")


def test_open_mpi_4_of_a_folder_of_its_own_keeps_its_prefix():
    hosts = Hosts(PurePosixPath("/v/bin/python"), CPUS, program=PurePosixPath("/opt/openmpi/bin/mpirun"))
    assert "--noprefix" not in words(OpenMpi4(), Placement(1, 1, 1), hosts)


def test_open_mpi_4_attends_its_daemons_which_stay_attached():
    found = words(OpenMpi4(), Placement(4, 2, 2), CLUSTER)
    assert "--hostfile /j/hostfile" in found
    assert "--mca orte_leave_session_attached 1" in found
    assert f"workload.agent.daemon --token {TOKEN} --limit-s 90 --environment own" in found
    assert "--mca btl_tcp_if_include 10.0.0.0/24" in found
    assert "--mca oob_tcp_if_include 10.0.0.0/24" in found


@pytest.mark.parametrize(
    ("placement", "binding"),
    [
        (Placement(2, 1, 2, 1, "core"), "-bind-to core -map-by core"),
        (Placement(2, 1, 2, 2, "core"), "-bind-to core:2 -map-by core:2"),
        (Placement(8, 1, 8, 1, "hwthread"), "-bind-to hwthread -map-by hwthread"),
        (Placement(9, 1, 9, 1, "none"), "-bind-to none"),
    ],
)
def test_mpich_on_this_machine(placement, binding):
    found = words(Mpich(), placement, HERE)
    assert found.startswith(f"/usr/bin/mpirun.openmpi -n {placement.ranks} {binding} -genv OMP_NUM_THREADS")


def test_mpich_names_hosts_with_their_slots_and_starts_proxies_by_a_script():
    made = Mpich().command(Placement(4, 2, 2), CLUSTER, SCRATCH, ["./a.out"])
    assert "-hosts 10.0.0.2:2,10.0.0.3:2 -launcher ssh -launcher-exec /j/start-proxy" in " ".join(made.argv)
    assert f"--token {TOKEN}" in made.scripts["start-proxy"]
    assert "StrictHostKeyChecking=yes" in made.scripts["start-proxy"]


@pytest.mark.parametrize(
    ("launcher", "log", "killed"),
    [(OpenMpi4(), KILLED4, KilledRank(1, "node2", 9)), (Mpich(), KILLED_MPICH, KilledRank(None, "node2", 9))],
)
def test_a_killed_rank_is_told(launcher, log, killed):
    found = launcher.evidence(137, log)
    assert (found.killed, found.lost_daemon) == (killed, False)


@pytest.mark.parametrize(
    ("launcher", "log", "reason"),
    [
        (OpenMpi4(), "There are not enough slots available in the system", "There are not enough slots"),
        (OpenMpi4(), "This is a fatal error; mpirun will now abort.  No processes were launched.", "fatal error"),
        (Mpich(), "[proxy:0:0@n] HYDU_create_process: execvp error on file ./x", "execvp error"),
    ],
)
def test_ranks_that_never_started(launcher, log, reason):
    assert reason in launcher.evidence(1, log).not_started


@pytest.mark.parametrize("launcher", [OpenMpi4(), Mpich(), OpenMpi5()])
def test_an_ordinary_end_proves_nothing(launcher):
    found = launcher.evidence(0, "Elapsed: 1.5\n")
    assert (found.killed, found.lost_daemon, list(found.lost_nodes), found.not_started) == (None, False, [], None)


@pytest.mark.parametrize(
    ("launcher", "library", "program"),
    [
        (OpenMpi5(), "Open MPI v5.0.11, package: x", "mpirun (Open MPI) 5.0.11"),
        (OpenMpi4(), "Open MPI v4.1.4, package: Debian", "mpirun.openmpi (OpenRTE) 4.1.4"),
        (Mpich(), "MPICH Version:\t4.0.2", "HYDRA build details:\n    Version:                                 4.0.2"),
    ],
)
def test_versions_of_library_and_program(launcher, library, program):
    others = [other for other in (OpenMpi5(), OpenMpi4(), Mpich()) if other.name != launcher.name]
    assert launcher.library.search(library)
    assert launcher.version.search(program)
    assert not any(other.library.search(library) or other.version.search(program) for other in others)


@pytest.mark.skipif(shutil.which("mpiexec.mpich") is None, reason="mpiexec.mpich is not installed")
@pytest.mark.parametrize("status", [255, 127])
def test_mpiexec_does_not_wait_for_a_proxy_that_cannot_start(tmp_path, status):
    """The real mpiexec, with an ssh that fails for one of the two hosts; the other's proxy never comes either."""
    (tmp_path / "ssh").write_text(
        f'#!/bin/sh\ncase "$*" in *10.0.0.3*) echo refused >&2; exit {status};; esac\nsleep 200\n'
    )
    hosts = dataclasses.replace(
        CLUSTER, job=PurePosixPath(tmp_path), program=PurePosixPath(shutil.which("mpiexec.mpich"))
    )
    command = Mpich().command(Placement(4, 2, 2, 1, "none"), hosts, SCRATCH, ["true"])
    for name, text in {"ssh": (tmp_path / "ssh").read_text(), **command.scripts}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    with subprocess.Popen(
        command.argv, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            code = process.wait(timeout=60)
        finally:
            subprocess.run(["pkill", "-s", str(process.pid)], check=False)
        log = process.stdout.read()
    found = Mpich().evidence(code, log)
    assert code != 0
    assert found.not_started == (
        f"mpiexec could not start: convscale: no proxy could be started on 10.0.0.3 (ssh ended with status {status})"
    )
    assert not found.lost_nodes
