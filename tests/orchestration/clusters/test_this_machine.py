import os

from orchestration.clusters import this_machine
from tests.orchestration.support import ROOT


def test_it_is_a_cluster_of_one_node():
    found = this_machine.describe(ROOT, "2026-01-01T00:00:00Z")
    assert found.cluster == found.profile == "local"
    assert found.default_study == "quick"
    assert len(found.nodes) == 1
    assert 1 <= found.slots <= len(os.sched_getaffinity(0))
