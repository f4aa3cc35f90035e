from orchestration.planning import code_version


def test_digest_is_of_names_and_contents_of_python_files(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.py").write_text("2")
    first = code_version.digest(tmp_path)
    (tmp_path / "notes.txt").write_text("not code")
    assert code_version.digest(tmp_path) == first
    (tmp_path / "a.py").write_text("3")
    second = code_version.digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert len({first, second, code_version.digest(tmp_path)}) == 3


def test_no_repository_is_no_commit(tmp_path):
    (tmp_path / "workload").mkdir()
    found = code_version.describe(tmp_path)
    assert (found.git_commit, found.git_dirty) == (None, None)
    assert len(found.digest) == 64
