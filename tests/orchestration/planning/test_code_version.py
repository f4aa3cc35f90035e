from orchestration.planning import code_version


def test_no_repository_is_no_commit(tmp_path):
    (tmp_path / "workload").mkdir()
    (tmp_path / "workload" / "a.py").touch()
    found = code_version.describe(tmp_path)
    assert (found.git_commit, found.git_dirty) == (None, None)
    assert len(found.digest) == 64
