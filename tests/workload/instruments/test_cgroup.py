"""Limits and counters of control groups, v1 and v2, read from folders that the tests write."""

import math
from pathlib import Path

import pytest

from workload.instruments import cgroup

V1 = "5:cpu,cpuacct:/a/b\n4:memory:/a/b\n"
V2 = "0::/a/b\n"


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path / "groups")
    monkeypatch.setattr(cgroup, "KERNEL_COUNTERS", tmp_path / "vmstat")
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        (V2, {"groups/a/memory.max": "3000", "groups/a/b/memory.max": "max"}, 3000),
        (V2, {"groups/a/memory.max": "3000", "groups/a/b/memory.max": "2000"}, 2000),
        (V2, {"groups/other/memory.max": "1"}, None),
        (V1, {"groups/memory/memory.limit_in_bytes": "9000", "groups/memory/a/memory.limit_in_bytes": "8000"}, 8000),
        ("3:cpuset:/a\n", {"groups/memory/memory.limit_in_bytes": "9000"}, None),
        ("", {}, None),
    ],
)
def test_the_lowest_memory_limit_counts(
    groups: Path, membership: str, files: dict[str, str], limit: int | None
) -> None:
    write(groups, {"membership": membership} | files)
    assert cgroup.memory_limit_bytes() == limit


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        (V2, {"groups/a/cpu.max": "max 100000", "groups/a/b/cpu.max": "150000 100000"}, 1.5),
        (V2, {"groups/a/cpu.max": "max 100000"}, math.inf),
        (V1, {"groups/cpu/a/cpu.cfs_quota_us": "200000", "groups/cpu/a/cpu.cfs_period_us": "100000"}, 2.0),
        (V1, {"groups/cpu/a/cpu.cfs_quota_us": "-1", "groups/cpu/a/cpu.cfs_period_us": "100000"}, math.inf),
        (V2, {"groups/a/cpu.max": "nonsense"}, math.inf),
    ],
)
def test_the_lowest_quota_counts(groups: Path, membership: str, files: dict[str, str], quota: float) -> None:
    write(groups, {"membership": membership} | files)
    assert cgroup.cpu_quota() == quota


def test_kills_are_of_the_groups_and_of_the_kernel(groups: Path) -> None:
    files = {
        "membership": V1,
        "groups/memory/a/b/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
        "groups/memory/a/memory.oom_control": "oom_kill x",
        "vmstat": "nr_free_pages 1\noom_kill 7",
    }
    write(groups, files)
    assert cgroup.oom_kills() == {
        str(groups / "groups/memory/a/b/memory.oom_control"): 2,
        str(groups / "vmstat"): 7,
    }


def test_this_process_has_groups_that_can_be_read() -> None:
    assert all(path.startswith(("/sys/fs/cgroup/", "/proc/vmstat")) for path in cgroup.oom_kills())
    assert cgroup.cpu_quota() > 0
