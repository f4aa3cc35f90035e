"""The lease of an allocation. What needs a real Slurm is in tests/slurm."""

import psutil
import pytest

from orchestration.clusters.inventory import Inventory, parse
from orchestration.executors.slurm import SlurmExecutor
from workload.agent import supervise


def allocation(tmp_path, cluster: str, job: int = 1) -> Inventory:
    return parse(
        {
            "schema_version": 1,
            "cluster": "slurm",
            "profile": "slurm",
            "default_study": "quick",
            "python": "/opt/venv/bin/python",
            "workdir": str(tmp_path),
            "executor": "slurm",
            "transport": "auto",
            "slurm": {"cluster": cluster, "job": job, "partition": "main"},
            "created_at": "2026-11-30T00:00:00Z",
            "nodes": [{"name": "n1", "address": "n1", "slots": 1, "memory_bytes": 2**30}],
        },
        "test",
    )


@pytest.mark.parametrize("other", ["cedar", "../birch", "birch/x", "", "b" * 300])
def test_jobs_of_the_same_number_on_two_clusters_are_two_leases(tmp_path, other):
    """Two clusters of a site may share the checkout, and each numbers its jobs from 1."""
    mine, again, theirs = (SlurmExecutor(allocation(tmp_path, name), {}) for name in ("birch", "birch", other))
    fab = supervise.identity(psutil.Process())
    assert mine.lease.take({"sweep": "0123abcd", "fab": fab}) is None
    assert theirs.lease.take({"sweep": "4567cdef", "fab": fab}) is None
    assert again.lease.take({"sweep": "89ab0123", "fab": fab}) == {"sweep": "0123abcd", "fab": fab}
    assert {path.parent.parent for path in tmp_path.rglob("1")} == {tmp_path / "results" / "runs" / ".slurm"}
    for executor in (mine, theirs):
        executor.lease.release("0123abcd")
        executor.lease.release("4567cdef")
