"""The kernel reads and writes nothing beside its arrays: there unreadable pages lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workload.gpu.played import COMPILER, NO_COMPILER

ROOT = Path(__file__).parents[3]


@pytest.mark.thorough
@pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
def test_the_kernel_stays_inside_its_arrays(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.workload.gpu.guarded", str(tmp_path), "40"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 40
