"""docs/contributing.md, "Add a kind of cluster": a small one is added to a copy of the tree, brought up, measured."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.orchestration.conftest import STUDY
from tests.orchestration.support import FAB, copy_checkout

RECIPE = Path(__file__).parent / "provider" / "half_machine.py"
CODE = "orchestration/provision/half_machine.py"
REGISTER = "orchestration/provision/providers.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the checkout with the provider added as the recipe says: one file more, and one changed."""
    copy = copy_checkout(tmp_path / "tree", "canary", "report")
    shutil.copy(RECIPE, copy / CODE)
    text = (copy / REGISTER).read_text()
    own_machines = "from orchestration.provision.own_machines import OwnMachines\n"
    text = text.replace(own_machines, f"from orchestration.provision.half_machine import HalfMachine\n{own_machines}")
    text = text.replace("        OWN_MACHINES,\n", "        HalfMachine(),\n        OWN_MACHINES,\n")
    (copy / REGISTER).write_text(text)
    return copy


def fab(tree: Path, *arguments: str, status: int = 0) -> str:
    command = [str(FAB), *arguments]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_kind_of_cluster_that_is_added_is_brought_up_measured_and_taken_down(tree: Path) -> None:
    listed = fab(tree, "clusters")
    assert "half           half of this machine  cluster half is not up" in listed
    assert "is not up" in fab(tree, "sweep", "--cluster", "half", "--down-after", status=2)
    assert "half: 1 node" in fab(tree, "up", "--cluster", "half")
    assert "the name 'half' is taken" in fab(tree, "inventory", "--hosts", "a", "--name", "half", status=2)
    (tree / "small.toml").write_text(STUDY)
    said = fab(tree, "sweep", "--cluster", "half", "--study", "small.toml", "--down-after")
    assert "1 runs: 1 ok\nhalf is down\n" in said
    assert "cluster half is not up" in fab(tree, "clusters")
