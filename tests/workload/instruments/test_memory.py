"""Readings of this very process."""

from pathlib import Path

import numpy as np

from workload.instruments import machine, memory


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


def test_caches_are_those_that_hold_data_with_the_threads_that_share_them(tmp_path: Path) -> None:
    known = (
        ("Data", "32K", "0"),
        ("Instruction", "64K", "0"),
        ("Unified", "1024K", "0,8"),
        ("Unified", "32M", "0-3,8-11"),
    )
    for index, (kind, size, shared) in enumerate(known):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in (("type", kind), ("size", size), ("shared_cpu_list", shared)):
            (folder / name).write_text(f"{text}\n")
    assert machine.caches(tmp_path) == [
        {"bytes": 2**15, "threads": 1},
        {"bytes": 2**20, "threads": 2},
        {"bytes": 2**25, "threads": 8},
    ]
    (tmp_path / "index3" / "size").write_text("large")
    (tmp_path / "index2" / "shared_cpu_list").unlink()
    assert machine.caches(tmp_path) == [{"bytes": 2**15, "threads": 1}, {"bytes": 2**20, "threads": 1}]
    assert machine.caches(tmp_path / "nowhere") == []
