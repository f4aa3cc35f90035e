import shutil

import pytest

from orchestration.errors import Refusal
from orchestration.executors.remote.upload import push
from tests.cluster.containers.conftest import ROOT
from workload.record.digest import code_digest

NAMES = [f"node{n}" for n in range(1, 9)]
LINK = "/opt/convscale/workload"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the workload that a test may change."""
    shutil.copytree(ROOT / "workload", tmp_path / "workload", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def switched(light):
    return {name: light.inside(name, "readlink", LINK).strip() for name in NAMES}


def test_every_node_gets_it_once_and_then_only_what_changed(light, checkout):
    (checkout / "workload/new.py").write_text("x = 1\n")
    first = push(light.inventory, checkout)
    assert sorted(first.changed) == NAMES
    assert first.digest == code_digest(checkout / "workload")
    assert set(switched(light).values()) == {f"releases/{first.digest}"}
    again = push(light.inventory, checkout)
    assert again.changed == []
    assert again.sent_bytes < 4096
    light.inside("node6", "sh", "-c", f"echo y = 2 >>{LINK}/new.py")
    assert push(light.inventory, checkout).changed == ["node6"]
    assert light.inside("node6", "cat", f"{LINK}/new.py") == "x = 1\n"


def test_the_workload_starts_from_where_it_was_pushed(light):
    push(light.inventory, ROOT)
    command = "cd /opt/convscale && venv/bin/python -m workload.instruments.machine"
    assert '"node": "node7"' in light.inside("node7", "sh", "-c", command).replace('":"', '": "')


def test_a_node_that_cannot_take_it_is_named_and_all_keep_the_old_one(light, checkout):
    push(light.inventory, ROOT)
    before = switched(light)
    (checkout / "workload/new.py").write_text("x = 3\n")
    light.inside("node4", "chmod", "555", "/opt/convscale/releases")
    try:
        with pytest.raises(Refusal, match=r"cannot be put on node4 \(PermissionError"):
            push(light.inventory, checkout)
        assert switched(light) == before
    finally:
        light.inside("node4", "chmod", "755", "/opt/convscale/releases")
    push(light.inventory, checkout)
    assert set(switched(light).values()) != set(before.values())
