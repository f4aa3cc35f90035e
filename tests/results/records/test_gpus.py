"""The least times that follow from a GPU's figures, and how these are read from probes and ledgers."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.records import gpus
from results.records.gpus import GpuLimits, ProbedGpus

LIMITS = GpuLimits(1, 20e9, 10e9, 18e9, 1e12, 5e13, 1e-5)
rates = st.floats(1e6, 1e14)
sizes = st.floats(0.0, 1e12)
limits = st.builds(GpuLimits, st.just(1), rates, rates, rates, rates, rates, st.floats(1e-7, 1e-2))
NEARLY = 1 + 1e-9


def figures(scale: float = 1.0, actives: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """As a node of a probe has them."""

    def each(key: str, value: float) -> list[dict[str, Any]]:
        return [{"active": active, key: value / active, "spread": 0.1, "samples_s": [1.0]} for active in actives]

    return {
        "count": max(actives),
        "devices": [],
        "to_device": each("bytes_per_s", scale * 20e9),
        "to_host": each("bytes_per_s", scale * 10e9),
        "both": each("bytes_per_s", scale * 18e9),
        "copy": each("bytes_per_s", scale * 1e12),
        "multiply_add": each("flops_per_s", scale * 5e13),
        "launch": [{"active": active, "launch_s": 1e-5 * active / scale} for active in actives],
    }


def test_transfers_and_kernels_by_hand() -> None:
    assert LIMITS.in_turn_s(20e9, 10e9) == pytest.approx(2.0)
    assert LIMITS.at_once_s(9e9, 9e9) == pytest.approx(1.0)
    assert LIMITS.at_once_s(9e9 + 20e9, 9e9) == pytest.approx(2.0), "what is left of one direction goes alone"
    assert LIMITS.at_once_s(9e9, 9e9 + 10e9) == pytest.approx(2.0)
    assert LIMITS.kernel_s(1e12, 1e13) == pytest.approx(1.0)
    assert LIMITS.kernel_s(1e12, 1e14) == pytest.approx(2.0)


@given(limits, sizes, sizes)
def test_both_ways_at_once_lie_between_one_way_and_one_after_the_other(
    found: GpuLimits, in_bytes: float, out_bytes: float
) -> None:
    at_once_s, in_turn_s = found.at_once_s(in_bytes, out_bytes), found.in_turn_s(in_bytes, out_bytes)
    assert at_once_s <= in_turn_s * NEARLY
    assert at_once_s * NEARLY >= max(found.in_turn_s(in_bytes, 0.0), found.in_turn_s(0.0, out_bytes))


@given(limits, sizes, sizes, sizes, sizes)
def test_more_bytes_or_operations_are_never_faster(
    found: GpuLimits, in_bytes: float, out_bytes: float, more_in: float, more_out: float
) -> None:
    for seconds in (found.at_once_s, found.in_turn_s, found.kernel_s):
        assert seconds(in_bytes, out_bytes) <= seconds(in_bytes + more_in, out_bytes + more_out) * NEARLY


def test_of_several_nodes_the_slowest_count_and_the_fewest_gpus() -> None:
    nodes = [{"gpus": figures()}, {"gpus": figures(0.5, actives=(1,))}]
    found = gpus.of_nodes(nodes)
    assert found is not None
    assert found.count == 1
    assert found.at(1) == GpuLimits(1, 10e9, 5e9, 9e9, 5e11, 2.5e13, 2e-5)
    assert found.at(2) == GpuLimits(2, 10e9, 5e9, 9e9, 5e11, 2.5e13, 2e-5), "the other node alone has two"


def test_of_counts_that_were_not_measured_the_next_counts() -> None:
    found = ProbedGpus(8, tuple(replace(LIMITS, active=active) for active in (1, 2, 4)))
    assert [found.at(active).active for active in (1, 2, 3, 4, 5, 8)] == [1, 2, 4, 4, 4, 4]


@pytest.mark.parametrize("nodes", [[], [{}], [{"gpus_left_out": "no driver"}], [{"gpus": figures()}, {}]])
def test_without_gpus_on_every_node_there_are_none(nodes: list[dict[str, Any]]) -> None:
    assert gpus.of_nodes(nodes) is None


def test_a_ledger_keeps_them() -> None:
    found = gpus.of_nodes([{"gpus": figures()}])
    assert found is not None
    assert gpus.parse(json.loads(json.dumps(found.document()))) == found


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(count=0),
        lambda document: document.update(by_active=[]),
        lambda document: document.pop("by_active"),
        lambda document: document["by_active"][0].pop("launch_s"),
        lambda document: document["by_active"][0].update(copy_bytes_per_s=-1.0),
        lambda document: document["by_active"][0].update(flops_per_s=None),
        lambda document: document["by_active"][0].update(active=True),
    ],
)
def test_of_a_damaged_ledger_there_are_none(change: Any) -> None:
    document = copy.deepcopy(ProbedGpus(1, (LIMITS,)).document())
    change(document)
    assert gpus.parse(document) is None


@pytest.mark.parametrize("document", [None, [], "gpus", 3])
def test_an_older_ledger_has_none(document: object) -> None:
    assert gpus.parse(document) is None
