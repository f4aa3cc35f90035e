import subprocess

import operator_key
import pytest


def test_a_pair_is_made_once_for_nobody_elses_eyes(tmp_path):
    line = operator_key.public_line(tmp_path / "fat", make=True)
    file = tmp_path / "fat" / "id_ed25519"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "fat" / "id_ed25519.pub").read_text() == f"{line}\n"
    assert operator_key.public_line(tmp_path / "fat", make=True) == line
    assert sorted(each.name for each in file.parent.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_openssh_takes_the_pair(tmp_path):
    line = operator_key.public_line(tmp_path, make=True)
    found = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "id_ed25519"], capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[:2] == line.split()[:2]


def test_a_preview_makes_none(tmp_path):
    assert operator_key.public_line(tmp_path / "fat", make=False) is None
    assert not (tmp_path / "fat").exists()


def test_a_preview_reads_the_one_that_is_there(tmp_path):
    line = operator_key.public_line(tmp_path, make=True)
    assert operator_key.public_line(tmp_path, make=False) == line


def test_what_is_no_key_is_not_written_over(tmp_path):
    (tmp_path / "id_ed25519").write_text("mine")
    with pytest.raises(ValueError, match=r"PEM|key|load"):
        operator_key.public_line(tmp_path, make=True)
    assert (tmp_path / "id_ed25519").read_text() == "mine"


def test_a_file_that_cannot_be_written_leaves_no_part(tmp_path):
    (tmp_path / "hostfile").mkdir()
    with pytest.raises(OSError, match="hostfile"):
        operator_key.write(tmp_path / "hostfile", b"x", 0o644)
    assert [each.name for each in tmp_path.iterdir()] == ["hostfile"]
