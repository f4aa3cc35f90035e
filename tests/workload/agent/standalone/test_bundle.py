"""Programs that are sent as text run where there is no workload."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workload.agent.standalone.bundle import bundle
from workload.record.digest import code_digest

PROGRAMS = sorted(path.stem for path in Path(__file__).parents[4].glob("workload/agent/standalone/*.py"))
SENT = [name for name in PROGRAMS if name not in ("__init__", "bundle")]


def run(program: str, *arguments: object, folder: Path) -> str:
    """What it prints. `-I`: nothing of ours can be imported."""
    command = [sys.executable, "-I", "-", *map(str, arguments)]
    return subprocess.run(command, input=program, capture_output=True, text=True, check=True, cwd=folder).stdout


@pytest.mark.parametrize("name", SENT)
def test_a_program_defines_each_name_once_and_imports_nothing_of_ours(name: str) -> None:
    program = bundle(name)
    assert not any(line.startswith("from workload") for line in program.splitlines())
    names = [line.split("(")[0].split(":")[0] for line in program.splitlines() if line.startswith(("def ", "class "))]
    assert len(names) == len(set(names)), names
    compile(program, name, "exec")


def test_the_survey_runs_where_there_is_no_workload(tmp_path: Path) -> None:
    (tmp_path / "workload").mkdir()
    (tmp_path / "workload" / "a.py").write_text("1")
    told = json.loads(run(bundle("survey"), tmp_path, "none", folder=tmp_path))
    assert told["workload"] == code_digest(tmp_path / "workload")
    assert "No module named" in told["machine"]


def test_neighbours_run_where_there_is_no_workload(tmp_path: Path) -> None:
    assert run(bundle("neighbours"), folder=tmp_path) == "[]"
