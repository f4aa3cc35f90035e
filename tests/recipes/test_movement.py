"""docs/contributing.md, "Add a movement": a small one is added to a copy of the tree, planned, run and checked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.mpi.conftest import mpirun_arguments
from tests.runs import make_run
from workload.domain.grid import Grid
from workload.domain.problem import Problem

ROOT = Path(__file__).parents[2]
RECIPE = Path(__file__).parent / "movement"
PROBLEM = Problem(5, 3, 4, 33, 29, 3)
DESCRIPTION = "workload/movement/descriptions/broadcast.py"
REGISTER = "workload/movement/descriptions/__init__.py"
CODE = "workload/movement/broadcast.py"


def python_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code with the movement added as the recipe says."""
    copy = tmp_path / "tree"
    for path in (path for top in ("workload", "orchestration", "infra") for path in (ROOT / top).rglob("*.py")):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    before = python_files(copy)
    shutil.copy(RECIPE / "description.py", copy / DESCRIPTION)
    shutil.copy(RECIPE / "broadcast.py", copy / CODE)
    text = (copy / REGISTER).read_text()
    text = text.replace("descriptions import device", "descriptions import broadcast, device")
    text = text.replace("    serial.DESCRIPTION,\n", "    serial.DESCRIPTION,\n    broadcast.DESCRIPTION,\n")
    (copy / REGISTER).write_text(text)
    after = python_files(copy)
    assert {name for name in after if after[name] != before.get(name)} == {DESCRIPTION, REGISTER, CODE}
    return copy


def carry_out(tree: Path, *argv: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = list(map(str, argv))
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("grid", [Grid(row=3), Grid(in_channel=3)])
def test_a_movement_that_is_added_is_planned_run_and_checked(tree: Path, tmp_path: Path, grid: Grid) -> None:
    run = make_run(PROBLEM, 3, grid=grid, warmups=1, repeats=2).as_dict() | {"movement": "broadcast"}
    run_file, measurement_file, pool = (tmp_path / name for name in ("run.json", "measurement.json", "pool.npy"))
    run_file.write_text(json.dumps({"schema_version": 1, "run": run}))
    np.save(pool, np.random.default_rng(1).integers(1, 256, (8, *PROBLEM.x_shape[1:]), dtype=np.uint8))

    foreseen = json.loads(carry_out(tree, sys.executable, RECIPE / "foresee.py", run_file))
    arguments = ["--run", run_file, "--record", measurement_file, "--images", pool]
    carry_out(tree, *mpirun_arguments(3), sys.executable, "-m", "mpi4py", "-m", "workload", *arguments)

    measurement = json.loads(measurement_file.read_text())
    assert measurement["run_id"] == foreseen["run_id"]
    assert measurement["check"]["passed"]
    assert measurement["check"]["repeats_checked"] == 3
    assert len(foreseen["peak_bytes"]) == len(measurement["memory"]) == 3
    moved_bytes = sum(call["bytes"] for call in measurement["mpi_calls"])
    assert moved_bytes == 2 * 2 * foreseen["moved_bytes"]  # two repeats, each byte counted where sent and received
