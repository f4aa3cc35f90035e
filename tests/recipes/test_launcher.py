"""docs/contributing.md, "Add a launcher": a small one is added to a copy of the tree, and ranks are started by it."""

import json
from pathlib import Path

from tests.recipes.tree import grown, run

RECIPE = Path(__file__).parent / "launcher"
REGISTER = "orchestration/jobs/launchers/__init__.py"


def test_a_launcher_that_is_added_starts_ranks_and_reads_their_end(tmp_path: Path) -> None:
    imported = "from orchestration.jobs.launchers.openmpi5 import OpenMpi5\n"
    tree = grown(
        tmp_path,
        {"orchestration/jobs/launchers/mpiexec.py": RECIPE / "mpiexec.py"},
        {
            REGISTER: (
                (imported, f"{imported}from orchestration.jobs.launchers.mpiexec import Mpiexec\n"),
                ("(OpenMpi5(), ", "(OpenMpi5(), Mpiexec(), "),
            )
        },
    )
    lived, died = json.loads(run(tree, RECIPE / "start.py", tmp_path / "jobs"))
    assert lived["argv"].endswith("/mpiexec")
    assert (lived["status"], lived["killed"], lived["program"]) == (0, None, "mpiexec"), lived["log"]
    assert "sizes [3, 3, 3]" in lived["log"]
    assert died["status"] != 0
    assert died["killed"] == [1, 9], died["log"]
    assert not list((tmp_path / "jobs" / ".jobs").iterdir())
