from pathlib import Path

import pytest

from workload.record.digest import canonical_json, code_digest, document_digest, file_digest


def test_a_documents_digest_does_not_depend_on_the_order_of_its_keys() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    assert document_digest({"b": 1, "a": 2}) == document_digest({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_codes_digest_is_of_names_and_contents_of_python_files(tmp_path: Path) -> None:
    assert code_digest(tmp_path) is None
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.py").write_text("2")
    first = code_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("not code")
    assert code_digest(tmp_path) == first
    (tmp_path / "a.py").write_text("3")
    second = code_digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert len({first, second, code_digest(tmp_path)}) == 3


def test_a_files_digest(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert file_digest(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
