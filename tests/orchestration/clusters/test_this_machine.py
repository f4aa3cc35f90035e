import os

from orchestration.clusters import registry
from tests.orchestration.support import ROOT


def test_local_is_this_machine():
    found = registry.find("local", ROOT, "2026-01-01T00:00:00Z")
    assert found.cluster == found.profile == "local"
    assert found.default_study == "quick"
    assert len(found.nodes) == 1
    assert 1 <= found.slots <= len(os.sched_getaffinity(0))
