"""Readings of this very process."""

import numpy as np

from workload import machine, memory


def test_the_peak_can_be_reset_and_sees_what_came_and_went() -> None:
    assert memory.reset_peak()
    before = memory.peak_rss_bytes()
    assert before is not None
    array = np.ones(64 * 2**20, np.uint8)
    del array
    after = memory.peak_rss_bytes()
    assert after is not None
    assert 60 * 2**20 < after - before < 80 * 2**20
    memory.reset_peak()
    assert (memory.peak_rss_bytes() or 0) < after - 60 * 2**20


def test_resident_shared_and_swapped_bytes() -> None:
    pss, swap = memory.pss_and_swap_bytes()
    assert pss is not None
    assert swap is not None
    assert 2**20 < pss <= memory.rss_bytes() * 1.05
    assert memory.major_faults() >= 0


def test_a_machine_describes_itself() -> None:
    found = machine.describe("Open MPI v5")
    assert found["cores"] <= found["threads"]
    assert len(found["boot_id"]) == 36
    assert found["cpu_model"]
    assert found["cgroup_memory_bytes"] is None or found["cgroup_memory_bytes"] > 2**20
    assert machine.core_of(0) >= 0
    assert machine.core_of(10**6) == 10**6
