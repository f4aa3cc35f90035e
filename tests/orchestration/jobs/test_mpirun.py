"""mpirun's command, word for word."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestration.jobs.mpirun import Files, Layout, Shell, kept_environment, mpirun
from tests.runs import make_run
from workload.domain.problem import Problem
from workload.record.run import Images

RUN = make_run(Problem(8, 3, 3, 16, 16, 3), 4, binding="core", images=Images("synthetic", "d"), warmups=1, repeats=3)
LAYOUT = Layout(python=PurePosixPath("/v/bin/python"), as_root=False, cores=4, transport="auto")
FILES = Files(
    run=PurePosixPath("/j/run.json"),
    measurement=PurePosixPath("/j/measurement.json"),
    pool=PurePosixPath("/p.npy"),
    scratch=PurePosixPath("/tmp/c/t"),
    shared_memory=PurePosixPath("/dev/shm/convscale-t"),
)
PROGRAM = ["-m", "workload"]


def words(run=RUN, layout=LAYOUT, files=FILES):
    return " ".join(mpirun(run, layout, files, PROGRAM))


def test_one_node():
    assert words() == (
        "/v/bin/mpirun -n 4 --map-by slot --bind-to core --mca pml ob1 --mca btl self,sm --mca osc ^ucx "
        "--mca btl_sm_backing_directory /dev/shm/convscale-t --mca osc_sm_backing_directory /dev/shm/convscale-t "
        "--prtemca prte_tmpdir_base /tmp/c/t "
        "-x OMP_NUM_THREADS=1 -x OPENBLAS_NUM_THREADS=1 -x MKL_NUM_THREADS=1 "
        "/v/bin/python -m mpi4py -m workload --run /j/run.json --record /j/measurement.json --images /p.npy"
    )


def test_several_nodes_over_tcp():
    run = replace(RUN, nodes=2, ranks_per_node=2, binding="none")
    layout = replace(
        LAYOUT, transport="tcp", interface_subnet="10.0.0.0/24", hostfile=PurePosixPath("/h"), as_root=True, cores=2
    )
    assert words(run, layout).startswith(
        "/v/bin/mpirun --allow-run-as-root -n 4 --hostfile /h --map-by slot:OVERSUBSCRIBE --bind-to none "
        "--mca pml ob1 --mca btl self,sm,tcp --mca btl_tcp_if_include 10.0.0.0/24 "
        "--prtemca oob_tcp_if_include 10.0.0.0/24 --mca osc ^ucx --mca btl_sm_backing_directory "
    )


def test_daemons_are_reached_by_pinned_keys_and_attended():
    shell = Shell(
        known_hosts=PurePosixPath("/j/known_hosts-t"),
        workdir=PurePosixPath("/w"),
        user="u",
        token="t",  # noqa: S106  a run's
        make=(FILES.scratch, FILES.shared_memory),
        limit_s=90.0,
    )
    layout = replace(LAYOUT, hostfile=PurePosixPath("/h"), shell=shell)
    argv = mpirun(replace(RUN, nodes=2, ranks_per_node=2), layout, FILES, PROGRAM)
    settings = {argv[n + 1]: argv[n + 2] for n, word in enumerate(argv) if word == "--prtemca"}
    assert settings["plm_ssh_args"] == (
        "-o UserKnownHostsFile=/j/known_hosts-t -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=4 "
        "-o ServerAliveInterval=2 -o ServerAliveCountMax=3 -o User=u"
    )
    assert settings["prte_launch_agent"] == (
        "env -C /w /v/bin/python -m workload.daemon --token t --limit-s 90 "
        "--make /tmp/c/t --make /dev/shm/convscale-t prted"
    )
    assert settings["plm_ssh_no_tree_spawn"] == "1"
    assert "plm_ssh_args" not in words(RUN, layout)  # one node: no daemon


def test_a_fabric_of_a_persons_own_is_left_to_open_mpi():
    text = words(replace(RUN, nodes=2, ranks_per_node=2), replace(LAYOUT, hostfile=PurePosixPath("/h")))
    assert "--mca btl self" not in text
    assert "--mca pml" not in text


def test_the_network_of_daemons_is_named_whatever_carries_the_messages():
    layout = replace(LAYOUT, hostfile=PurePosixPath("/h"), interface_subnet="10.0.0.0/24")
    text = words(replace(RUN, nodes=2, ranks_per_node=2), layout)
    assert "--mca btl_tcp_if_include 10.0.0.0/24 --prtemca oob_tcp_if_include 10.0.0.0/24" in text
    assert "--mca btl self" not in text


@pytest.mark.parametrize(("cores", "yields"), [(4, False), (3, True)])
def test_ranks_yield_where_they_share_cores(cores, yields):
    assert ("--mca mpi_yield_when_idle 1" in words(layout=replace(LAYOUT, cores=cores))) == yields


def test_threads_are_exported_and_get_their_cores():
    text = words(replace(RUN, threads=2), replace(LAYOUT, cores=8))
    assert "--map-by slot:PE=2 --bind-to core" in text
    assert "-x OPENBLAS_NUM_THREADS=2" in text


def test_saving_and_preview():
    text = words(files=replace(FILES, save_to=PurePosixPath("/j/saved"), preview=PurePosixPath("/j/preview.npz")))
    assert text.endswith("--images /p.npy --save-to /j/saved --preview /j/preview.npz")


def test_no_setting_of_mpi_or_python_leaks_in():
    kept = kept_environment({"PATH": "/bin", "PYTHONPATH": "/x", "OMPI_MCA_btl": "tcp", "OMP_NUM_THREADS": "9"})
    assert kept == {"PATH": "/bin"}
