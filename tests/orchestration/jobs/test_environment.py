from orchestration.jobs.environment import kept_environment


def test_no_setting_of_mpi_or_python_leaks_in():
    kept = kept_environment({"PATH": "/bin", "PYTHONPATH": "/x", "OMPI_MCA_btl": "tcp", "OMP_NUM_THREADS": "9"})
    assert kept == {"PATH": "/bin"}
