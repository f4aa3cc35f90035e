import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestration import folders
from tests.orchestration.support import ROOT

PROGRAM = """
import os, sys
from pathlib import Path
from orchestration.folders import own_folder
os.setgroups([]), os.setgid(65534), os.setuid(65534)
print(own_folder(Path(sys.argv[1]), "runs", dict(pair.split("=", 1) for pair in sys.argv[3:]), sys.argv[2].split()))
"""


def as_nobody(preferred, *environment, inside=""):
    """The folder that an account gets which owns nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs another account")
    words = [sys.executable, "-c", PROGRAM, str(preferred), inside, *environment]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture
def open_folder(tmp_path):
    """A folder that every account reaches and may write to."""
    path = tmp_path  # a worker's lies deeper than that of a run without workers
    while path != Path(tempfile.gettempdir()):
        path.chmod(0o755)
        path = path.parent
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    return tmp_path / "open"


def test_the_projects_own_folder_where_it_can_be_written(tmp_path):
    assert folders.own_folder(tmp_path / "results" / "runs", "runs", {}) == tmp_path / "results" / "runs"


def test_a_file_in_the_way_is_no_folder(tmp_path):
    (tmp_path / "results").touch()
    made = folders.own_folder(tmp_path / "results" / "runs", "runs", {"XDG_STATE_HOME": str(tmp_path / "state")})
    assert made == tmp_path / "state" / "convscale" / "runs"


def test_a_shared_installation(tmp_path, open_folder):
    (tmp_path / "runs").mkdir()
    assert as_nobody(tmp_path / "runs", f"HOME={open_folder}") == open_folder / ".local/state/convscale/runs"
    assert as_nobody(tmp_path / "runs", f"XDG_STATE_HOME={open_folder}") == open_folder / "convscale/runs"


def test_after_one_run_of_root(open_folder):
    (open_folder / ".images").mkdir()
    assert as_nobody(open_folder, f"XDG_STATE_HOME={open_folder}") == open_folder
    state = open_folder / "convscale" / "runs"
    assert as_nobody(open_folder, f"XDG_STATE_HOME={open_folder}", inside=".images") == state


def test_without_any_home(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path))
    made = folders.state_folder({})
    assert made == tmp_path / f"convscale-{os.getuid()}"
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "precious").mkdir(mode=0o755)
    (tmp_path / f"convscale-{os.getuid()}").symlink_to(tmp_path / "precious")
    made = folders.state_folder({})
    assert made.resolve() != tmp_path / "precious"
    assert not made.is_symlink()
    assert (tmp_path / "precious").stat().st_mode & 0o777 == 0o755
