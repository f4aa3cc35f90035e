import os

import pytest

from orchestration.clusters import registry, this_machine
from tests.orchestration.support import ROOT


def test_local_is_this_machine():
    found = registry.find("local", ROOT, "2026-01-01T00:00:00Z")
    assert found.cluster == found.profile == "local"
    assert found.default_study == "quick"
    assert len(found.nodes) == 1
    assert 1 <= found.slots <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, float("inf")),
        ({"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_quota_of_cpu_time(tmp_path, files, quota):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert this_machine._quota(tmp_path) == quota
