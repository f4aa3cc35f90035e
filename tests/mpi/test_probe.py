"""The probe under the real mpirun: every figure there, and of the right kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.marks import thorough
from tests.workload.gpu.played import COMPILER, NO_COMPILER
from workload.domain import backends
from workload.gpu.driver import missing
from workload.probe.gauges import counts


@pytest.mark.parametrize(("ranks", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8])])
def test_ranks_at_work_are_powers_of_two_and_all(ranks: int, expected: list[int]) -> None:
    assert counts(ranks) == expected


@pytest.mark.parametrize("ranks", [1, thorough(3)])
def test_the_probe_finds_every_figure(ranks: int, mpirun: Callable[..., Any]) -> None:
    found = mpirun(ranks, "probing.py", 0, "sound")
    assert (found["kind"], found["ranks"]) == ("probe", ranks)
    (node,) = found["nodes"]
    assert node["ranks"] == ranks
    assert node["machine"]["memory_bytes"] == psutil.virtual_memory().total
    sizes = (2**16, 2**20)
    assert [(each["active"], each["copy_bytes"]) for each in node["memory"]] == [
        (active, size) for active in counts(ranks) for size in sizes
    ]
    assert [(each["active"], each["copy_bytes"]) for each in node["cache"]] == [
        (active, 2**12) for active in counts(ranks)
    ]
    assert all(each["bytes_per_s"] > 0.0 for each in (*node["cache"], *node["stores"]))
    assert [(each["active"], each["stores"]) for each in node["stores"]] == [
        (active, kind) for active in counts(ranks) for kind in backends.STORES
    ]
    assert {each["stores"] for each in node["convolve"] if each["backend"] == "simd"} == set(backends.STORES)
    assert [each["active"] for each in node["load"]] == counts(ranks)
    assert {each["backend"] for each in node["convolve"]} <= set(backends.names_on_cpu())
    assert {"naive", "numpy"} <= {each["backend"] for each in node["convolve"]}
    rates = [each["flops_per_s"] for each in (*node["multiply_add"], *node["convolve"])]
    assert all(rate > 0.0 for rate in (*rates, *(each["bytes_per_s"] for each in (*node["memory"], *node["load"]))))
    assert all(each["spread"] >= 0.0 for kind in ("memory", "load", "multiply_add", "convolve") for each in node[kind])
    assert {each["backend"] for each in node["yardstick"]} == {each["backend"] for each in node["convolve"]}
    assert all(each["flops_per_s"] > 0.0 for each in node["yardstick"])
    assert len(found["links"]) == (0 if ranks == 1 else 1)
    for link in found["links"]:
        assert (link["scope"], link["ranks"]) == ("within", [0, 1])
        small, large = link["messages"]
        assert min(small["one_way_s"], large["one_way_s"]) > 0.0  # on a busy machine either may be the longer
        assert link["latency_s"] == small["one_way_s"]
        assert link["bytes_per_s"] == pytest.approx(2**20 / large["one_way_s"])


@pytest.mark.thorough
@pytest.mark.skipif(missing() is None, reason="this machine has a GPU")
def test_without_a_gpu_its_figures_are_left_out_with_the_reason(mpirun: Callable[..., Any]) -> None:
    (node,) = mpirun(2, "probing.py", 0, "sound")["nodes"]
    assert node["gpus_left_out"] == missing()
    assert "gpus" not in node


@pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
@pytest.mark.parametrize(
    ("ranks", "gpus", "actives"), [(1, 2, [1]), thorough(2, 2, [1, 2]), thorough(3, 1, [1]), thorough(3, 4, [1, 2, 3])]
)
def test_each_gpu_is_one_ranks(ranks: int, gpus: int, actives: list[int], mpirun: Callable[..., Any]) -> None:
    found = mpirun(ranks, "probing.py", gpus, "sound")
    (node,) = found["nodes"]
    on_gpus = node["gpus"]
    assert on_gpus["count"] == gpus
    assert [int(each["uuid"], 16) for each in on_gpus["devices"]] == list(range(min(ranks, gpus)))
    units = {"to_device": 1e9, "to_host": 1e9, "both": 2e9, "copy": 1e9}
    for kind, rate in units.items():
        assert [each["active"] for each in on_gpus[kind]] == actives
        assert [each["bytes_per_s"] for each in on_gpus[kind]] == [pytest.approx(rate)] * len(actives)
    assert all(each["flops_per_s"] > 0.0 for each in on_gpus["multiply_add"])
    assert all(each["launch_s"] > 0.0 for each in on_gpus["launch"])
    for kind in (*units, "multiply_add", "launch"):
        assert all(len(each["samples_s"]) == 2 * 2 and each["spread"] >= 0.0 for each in on_gpus[kind])
    assert found["opened"] == [int(rank < gpus) for rank in range(ranks)]
    assert not found["kept"], "memory is left on a GPU, or pages locked"


@pytest.mark.thorough
@pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
def test_a_gpu_that_fails_leaves_all_of_its_node_out(mpirun: Callable[..., Any]) -> None:
    found = mpirun(3, "probing.py", 2, "broken")
    (node,) = found["nodes"]
    assert node["gpus_left_out"] == "the second GPU has no room"
    assert not found["kept"]
    assert node["convolve"], "what the cores do is measured all the same"
