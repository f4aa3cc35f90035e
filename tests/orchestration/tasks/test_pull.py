"""`fab pull` and `fab status` as a person types them: what is wrong is one line and exit status 2."""

import pytest

from tests.orchestration.support import refused


@pytest.mark.parametrize("name", ["pull", "status"])
def test_a_folder_without_a_sweep_is_refused(name, tmp_path):
    assert "is no sweep's folder (it has no ledger.jsonl)" in refused(name, "--sweep", str(tmp_path))


def test_an_unknown_cluster_is_refused():
    assert "cluster 'no-such' is unknown" in refused("pull", "--cluster", "no-such")
