"""Starts programs under the real mpirun."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
MPIRUN = Path(sys.executable).parent / "mpirun"


def mpirun_arguments(ranks: int) -> list[str]:
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    quick = [
        "--mca",
        "btl",
        "self,sm",
        "--mca",
        "pml",
        "ob1",
        "--mca",
        "mpi_yield_when_idle",
        "1",
        "--mca",
        "osc",
        "^ucx",
    ]
    return [str(MPIRUN), *root, "-n", str(ranks), "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none", *quick]


@pytest.fixture
def mpirun(tmp_path: Path) -> Callable[..., Any]:
    """`mpirun(ranks, program, *arguments)`: the JSON that the program's rank 0 writes to its first argument."""

    def run(ranks: int, program: str, *arguments: object) -> Any:
        answer = tmp_path / "answer.json"
        command = [*mpirun_arguments(ranks), sys.executable, "-m", "mpi4py", str(PROGRAMS / program), str(answer)]
        done = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,  # for what hangs: a busy machine takes minutes
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(answer.read_text())

    return run
