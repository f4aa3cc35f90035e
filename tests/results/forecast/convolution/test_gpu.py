"""The forecast of a block on a GPU: what follows from the probe's figures for any of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast.convolution.gpu import OnGpu, on_gpu
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import ForecastError, Probe
from results.records.gpus import GpuLimits, ProbedGpus
from tests.results.forecast.convolution.test_model import LOAD, PAPER, machine
from tests.results.records.test_gpus import LIMITS, limits
from workload.domain.grid import Grid, whole
from workload.domain.problem import Problem

NEARLY = 1 + 1e-9
problems = st.builds(
    Problem,
    batch=st.integers(1, 40),
    in_channels=st.integers(1, 9),
    out_channels=st.integers(1, 9),
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    kernel_size=st.integers(1, 7),
)


def at(problem: Problem, found: GpuLimits, pieces: int = 1, sharing: int = 1) -> OnGpu:
    """In so many pieces, at most one an image."""
    images = -(-problem.batch // pieces)
    options = {} if pieces == 1 else {"chunk_bytes": images * problem.x_bytes // problem.batch}
    return on_gpu(whole(problem), options, found, sharing)


@given(problems, limits)
def test_in_one_piece_each_part_follows_the_one_before(problem: Problem, found: GpuLimits) -> None:
    block = at(problem, found)
    assert block.pieces == 1
    parts_s = found.in_turn_s(problem.x_bytes, problem.y_bytes)
    parts_s += found.kernel_s(problem.x_bytes + problem.y_bytes, problem.flops)
    weights_s = found.launch_s + found.in_turn_s(problem.w_bytes, 0.0)
    assert block.total_s == pytest.approx(weights_s + found.launch_s + parts_s)


@given(problems, limits, st.integers(1, 40))
def test_pieces_are_never_slower_but_for_their_launches(problem: Problem, found: GpuLimits, pieces: int) -> None:
    block = at(problem, found, pieces)
    launches_s = (block.pieces - 1) * found.launch_s
    assert block.total_s <= (at(problem, found).total_s + launches_s) * NEARLY


@given(problems, limits, st.integers(1, 40))
def test_nothing_is_faster_than_the_link_or_the_kernel(problem: Problem, found: GpuLimits, pieces: int) -> None:
    least_s = max(
        found.at_once_s(problem.x_bytes, problem.y_bytes),
        found.kernel_s(problem.x_bytes + problem.y_bytes, problem.flops),
    )
    assert at(problem, found, pieces).total_s * NEARLY >= least_s


@given(problems, limits, st.integers(1, 20), st.sampled_from(["batch", "out_channels", "in_channels"]))
def test_more_work_in_as_many_pieces_is_never_faster(problem: Problem, found: GpuLimits, more: int, axis: str) -> None:
    larger = replace(problem, **{axis: getattr(problem, axis) + more})
    assert at(problem, found).total_s <= at(larger, found).total_s * NEARLY
    if axis == "out_channels":  # which leaves the pieces of x as they are
        assert at(problem, found, problem.batch).total_s <= at(larger, found, problem.batch).total_s * NEARLY


@given(problems, limits, st.integers(1, 16), st.integers(1, 16))
def test_more_ranks_on_a_gpu_are_never_faster(problem: Problem, found: GpuLimits, sharing: int, more: int) -> None:
    assert at(problem, found, 4, sharing).total_s <= at(problem, found, 4, sharing + more).total_s * NEARLY


def with_gpus(count: int = 1, **changes: object) -> Probe:
    return machine(gpus=ProbedGpus(count, (replace(LIMITS, active=1), replace(LIMITS, active=count))), **changes)


def case(ranks: int, problem: Problem = PAPER, per_node: int = 16, **options: int) -> ForecastCase:
    return ForecastCase(problem, Grid(batch=ranks), "device", "cuda", per_node, options)


def test_phases_are_the_parts_of_the_last_piece() -> None:
    found = forecast(case(1), with_gpus())
    block = on_gpu(whole(PAPER), {}, LIMITS)
    assert found.phases_s == pytest.approx(
        {
            "load": PAPER.x_bytes / LOAD,
            "distribute": block.all_in_s,
            "convolve": block.kernel_s,
            "collect": block.out_s,
        }
    )
    assert found.forward_s == pytest.approx(found.total_s - found.phases_s["load"])
    chunked = forecast(case(1, chunk_bytes=PAPER.x_bytes // PAPER.batch), with_gpus())
    assert chunked.phases_s["convolve"] == pytest.approx(block.kernel_s / PAPER.batch)
    assert chunked.forward_s < found.forward_s


def test_ranks_share_the_gpus_of_their_node() -> None:
    wide = replace(PAPER, batch=64)
    alone, four = forecast(case(1, wide), with_gpus()), forecast(case(4, wide), with_gpus())
    assert four.forward_s == pytest.approx(alone.forward_s, rel=0.01), "one GPU is no faster for more ranks"
    assert forecast(case(4, wide), with_gpus(4)).forward_s == pytest.approx(alone.forward_s / 4, rel=0.05)
    nodes = forecast(case(4, wide, per_node=1), with_gpus())
    assert nodes.forward_s == pytest.approx(alone.forward_s / 4, rel=0.05), "each node has its own"


def test_cut_sums_are_added_on_the_hosts() -> None:
    whole_sum, cut = case(1), replace(case(3), grid=Grid(in_channel=3))
    added = forecast(cut, with_gpus(3)).phases_s["collect"] - forecast(whole_sum, with_gpus(3)).phases_s["collect"]
    assert added > PAPER.y_bytes / 5e9, "a message within the node"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "(it is of a version that measured none)"),
        ({"gpus_left_out": "no NVIDIA driver"}, "(no NVIDIA driver)"),
    ],
)
def test_without_figures_of_gpus_it_is_said_what_to_do(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ForecastError) as refusal:
        forecast(case(2), machine(**changes))
    assert words in str(refusal.value)
    assert "'fab probe' measures them" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert forecast(replace(case(2), movement="shared", backend="naive"), machine(**changes)).forward_s > 0.0
