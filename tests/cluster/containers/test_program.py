"""A person's own program on eight containers that have a compiler: built on the head, pushed, run on every node."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.paths import SweepPaths
from orchestration.provision.containers.docker import Engine
from tests.cluster.containers.conftest import Cluster, started
from tests.orchestration.support import FAB, ROOT
from tests.preloaded import Preloader, completed
from workload.record.kinds import read_record

HUNGRY = """
from mpi4py import MPI
block = []
while MPI.COMM_WORLD.rank == 1:
    block.append(bytearray(b"x" * 2**24))
MPI.COMM_WORLD.barrier()
"""


@pytest.fixture(scope="module")
def equipped(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from started(engine, tmp_path_factory.mktemp("equipped"), "compose-light", build_tools=True)


Sweep = Callable[..., tuple[subprocess.CompletedProcess[str], dict[int, dict]]]


@pytest.fixture
def sweep(equipped: Cluster, spared: Preloader, tmp_path: Path) -> Sweep:
    """A sweep of a program in the folder of the test, and its records by ranks."""

    def run(*flags: str) -> tuple[subprocess.CompletedProcess[str], dict[int, dict]]:
        words = ["--search-root", str(spared.checkout), "sweep", "--cluster", str(equipped.folder.inventory)]
        words += ["--out", str(tmp_path / "out"), "--launches", "1", *flags]
        done = completed(spared.start(FAB, words, os.environ, tmp_path))
        found = map(read_record, SweepPaths(tmp_path / "out").records.glob("*.json"))
        return done, {record["run"]["ranks"]: record for record in found}

    return run


def test_the_c_example_is_built_on_the_head_and_runs_on_every_node(sweep: Sweep, tmp_path: Path) -> None:
    for name in ("heat.c", "heat.toml"):
        shutil.copy(ROOT / "examples" / "heat" / name, tmp_path)
    given = ["--parameter", "n=256", "--parameter", "steps=20", "--ranks", "2,8"]
    done, records = sweep("--study", "heat.toml", "--series", "strong", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {2: "ok", 8: "ok"}
    assert [rank["node"] for rank in records[8]["ranks"]] == [f"node{number}" for number in range(1, 9)]
    assert set(records[8]["provenance"]["files"]) == {"heat", "heat.c"}
    values = [{item["name"]: item["value"] for item in records[ranks]["metrics"]} for ranks in (2, 8)]
    assert values[0]["heat"] == pytest.approx(values[1]["heat"])


def test_a_build_that_fails_says_its_last_lines(sweep: Sweep, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "heat" / "heat.toml", tmp_path)
    (tmp_path / "heat.c").write_text("int main(void) { return no_such_thing; }\n")
    done, records = sweep("--study", "heat.toml")
    assert (done.returncode, records) == (2, {})
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("convscale: the build fails on the head: ")
    assert "no_such_thing" in line
    assert not (tmp_path / "out").exists()


def test_nodes_that_stand_keep_their_build_tools(equipped: Cluster) -> None:
    before = equipped.ids()
    equipped.containers.up("2026-01-01T00:00:00Z")
    assert equipped.ids() == before


@pytest.mark.kills_for_memory
def test_the_memory_limit_of_a_node(equipped: Cluster, sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY)
    engine, container = equipped.containers.engine, equipped.ids()["node2"]
    engine.docker("update", "--memory", "200m", "--memory-swap", "200m", container)
    try:
        done, records = sweep("--command", "{python} hungry.py", "--ranks", "2")
    finally:
        engine.docker("update", "--memory", "4g", "--memory-swap", "4g", container)
    assert done.returncode == 1, done.stdout + done.stderr
    record = records[2]
    assert record["outcome"] == "out_of_memory", record["reason"]
    assert record["reason"] == "the kernel killed rank 1 on node2 for memory on node2"
    assert record["ranks"][1]["signal"] == signal.SIGKILL
