"""docs/contributing.md, "Add an executor": a small one is added to a copy of the tree, and a sweep runs on it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.clusters.this_machine import describe
from tests.orchestration.support import FAB, ROOT
from tests.recipes.tree import grown
from workload.record.kinds import read_record

RECIPE = Path(__file__).parent / "executor"
REGISTER = "orchestration/executors/connect.py"
STUDY = """
schema_version = 1
name = "small"
launches = 1
repeats = 1
images = "synthetic"
backend = ["numpy"]
problem = { batch = 4, in_channels = 1, out_channels = 1, height = 32, width = 32, kernel_size = 3 }
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
ranks = [1, 2]
oversubscribe = 2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project with the executor added as the recipe says."""
    imported = "from orchestration.executors.local import LocalExecutor\n"
    line = "Path(inventory.workdir), Path(inventory.python), environment),\n"
    return grown(
        tmp_path,
        {"orchestration/executors/niced.py": RECIPE / "niced.py"},
        {
            REGISTER: (
                (imported, f"{imported}from orchestration.executors.niced import NicedExecutor\n"),
                ('    "ssh":', f'    "niced": lambda inventory, environment: NicedExecutor({line}    "ssh":'),
            )
        },
    )


def test_an_executor_that_is_added_carries_out_a_sweep(tree: Path, tmp_path: Path) -> None:
    document = describe(tree, "2026-01-01T00:00:00Z").model_dump(mode="json")
    document |= {"cluster": "nice", "executor": "niced", "python": sys.executable}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    (tmp_path / "small.toml").write_text(STUDY)
    out = tmp_path / "out"
    words = ["sweep", "--cluster", tmp_path / "inventory.json", "--study", tmp_path / "small.toml", "--out", out]
    done = subprocess.run(
        [str(FAB), *map(str, words)], cwd=tree, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = [read_record(path) for path in sorted((out / "records").glob("*.json"))]
    assert {record["outcome"] for record in records} == {"ok"}
    jobs = [json.loads(line) for line in (tree / "niced.jsonl").read_text().splitlines()]
    assert {record["run_id"] for record in records} <= {job["job"].partition("-")[0] for job in jobs}
    assert {job["nice"] for job in jobs} == {5}
    assert not list((out / ".jobs").iterdir())


def test_an_executor_that_nobody_added_is_refused_by_name(tmp_path: Path) -> None:
    document = describe(ROOT, "2026-01-01T00:00:00Z").model_dump(mode="json") | {"executor": "nicked"}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    words = ["sweep", "--dry-run", "--cluster", str(tmp_path / "inventory.json")]
    done = subprocess.run([str(FAB), *words], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert "executor 'nicked' is unknown" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
