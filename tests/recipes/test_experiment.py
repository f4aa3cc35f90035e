"""docs/contributing.md, "Add an experiment": a small one is added to a copy of the tree, swept and resumed."""

import json
from pathlib import Path

from tests.recipes.tree import grown, run

RECIPE = Path(__file__).parent / "experiment"
STUDY = """
schema_version = 1
name = "barriers"
launches = 2
[barrier]
count = 20
[[series]]
name = "fixed"
scaling = "strong"
ranks = [1, 3]
oversubscribe = 4
"""
FILES = {
    "workload/record/barrier.py": RECIPE / "record.py",
    "workload/barrier.py": RECIPE / "ranks.py",
    "orchestration/experiments/barrier.py": RECIPE / "experiment.py",
}
KINDS = "workload/record/kinds.py"
REGISTER = "orchestration/experiments/__init__.py"


def test_an_experiment_that_is_added_is_planned_run_recorded_and_resumed(tmp_path: Path) -> None:
    tree = grown(
        tmp_path,
        FILES,
        {
            KINDS: (
                ("from workload.record import program\n", "from workload.record import barrier, program\n"),
                (
                    "for kind in (CONVOLUTION, PROGRAM)}",
                    "for kind in (CONVOLUTION, PROGRAM, BARRIER)}",
                ),
                (
                    "KINDS: Mapping[str, RecordKind] =",
                    "BARRIER = RecordKind(barrier.KIND, barrier.VERSION, {**barrier.MEASUREMENT_SHAPE, 'run': dict}, "
                    "barrier.BarrierRun.from_dict)\nKINDS: Mapping[str, RecordKind] =",
                ),
            ),
            REGISTER: (
                (
                    "from orchestration.experiments.convolution",
                    "from orchestration.experiments.barrier import Barrier\nfrom orchestration.experiments.convolution",
                ),
                ("= (Convolution(), ", "= (Convolution(), Barrier(), "),
            ),
        },
    )
    (tmp_path / "barriers.toml").write_text(STUDY)
    told = json.loads(run(tree, RECIPE / "sweep.py", tmp_path / "barriers.toml", tmp_path).splitlines()[-1])
    assert told["as_planned"]
    assert told["left"] == 0
    records = told["records"]
    assert sorted((record["run"]["ranks"], record["launch"]) for record in records) == [(1, 0), (1, 1), (3, 0), (3, 1)]
    assert {(record["schema_version"], record["run"]["workload"]["kind"]) for record in records} == {(2, "barrier")}
    assert {record["outcome"] for record in records} == {"ok"}
    assert all(len(record["barrier_s"]) == 20 for record in records)
