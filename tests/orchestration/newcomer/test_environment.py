"""What a person's own machine has set up for other programs: none of it reaches the ranks, and all of it is said."""

import pytest


@pytest.fixture
def hostile(lab):
    """Settings for another MPI and another Python, each of which alone would end every run."""
    home, libraries, packages = (lab.folder / name for name in ("home", "libraries", "packages"))
    for name, line in {
        ".openmpi": "pml = nosuch",
        ".prte": "prte_default_hostfile = /nosuch/hosts",
        ".pmix": "gds = nosuch",
    }.items():
        (home / name).mkdir(parents=True)
        (home / name / "mca-params.conf").write_text(f"{line}\n")
    libraries.mkdir()
    for name in ("libmpi.so.40", "libpmix.so.2", "libprrte.so.3", "libhwloc.so.15"):
        (libraries / name).touch()
    packages.mkdir()
    for name in ("numpy", "psutil", "mpi4py"):
        (packages / f"{name}.py").write_text("raise RuntimeError('of another Python')\n")
    lab.environment |= {
        "HOME": str(home),
        "LD_LIBRARY_PATH": str(libraries),
        "PYTHONPATH": str(packages),
        "OMPI_MCA_btl": "nosuch",
        "PRTE_MCA_plm": "nosuch",
        "OMP_NUM_THREADS": "many",
    }
    return lab


def test_a_sweep_ends_well_in_a_hostile_environment(hostile):
    done = hostile.sweep("bare")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = hostile.records()
    assert record["outcome"] == "ok"
    assert "names another MPI" in done.stdout
    assert "PYTHONPATH, ~/.openmpi/mca-params.conf" in " ".join(done.stdout.split())


@pytest.mark.thorough
def test_a_sweep_ends_well_without_a_home(lab):
    lab.environment.pop("HOME", None)
    done = lab.sweep("bare")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]
