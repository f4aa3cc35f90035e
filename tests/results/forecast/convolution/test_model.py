from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast.convolution import model
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import Copies, ForecastError, Probe, ProbedLink, Rates
from results.forecast.convolution.ranks import COPY
from tests.marks import examples
from workload.domain.grid import Grid, block_of
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict

PAPER = Problem(16, 3, 3, 1024, 1024, 3)
MEMORY, LOAD, RATE, WITHIN, BETWEEN, LATENCY = 20e9, 4e9, 1e9, 5e9, 1e8, 1e-6
MOVEMENTS = ("scatter-gather", "tree", "pipeline", "shared", "distributed")


def link(scope: str, bytes_per_s: float) -> ProbedLink:
    """Latency up to the size that it takes to send, from there on the bandwidth."""
    sizes = [2**power for power in range(3, 34)]
    return ProbedLink(scope, tuple((size, LATENCY + size / bytes_per_s) for size in sizes))


def copies(*rates: tuple[int, float]) -> Copies:
    return Copies(((2**26, Rates(rates)),))


def machine(cores: int = 16, **changes: object) -> Probe:
    """Memory bandwidth that one rank fills alone; cores that do not disturb each other."""
    values: dict[str, object] = {
        "cluster": "c",
        "measured_utc": "",
        "links": (link("within", WITHIN), link("between", BETWEEN)),
        "memory": copies((1, MEMORY), (cores, MEMORY * cores)),
        "load": Rates(((1, LOAD), (cores, LOAD))),
        "multiply_add": None,
        "convolve": {"naive": Rates(((1, RATE), (cores, RATE)))},
    }
    return Probe(**{**values, **changes})  # type: ignore[arg-type]


def case(ranks: int, movement: str = "scatter-gather", per_node: int = 16, problem: Problem = PAPER) -> ForecastCase:
    return ForecastCase(problem, Grid(batch=ranks), movement, "naive", per_node)


def test_scatter_gather_is_what_the_root_sends_copies_and_takes_in() -> None:
    found = forecast(case(4), machine())
    x, y = PAPER.x_bytes / 4, PAPER.y_bytes / 4
    assert found.phases_s["load"] == pytest.approx(PAPER.x_bytes / LOAD)
    assert found.phases_s["distribute"] == pytest.approx(COPY * x / MEMORY + 3 * x / WITHIN, rel=1e-2)
    assert found.phases_s["convolve"] == pytest.approx(PAPER.flops / 4 / RATE)
    assert found.phases_s["collect"] == pytest.approx(COPY * y / MEMORY + 3 * y / WITHIN, rel=1e-2)
    assert found.forward_s == pytest.approx(sum(found.phases_s.values()) - found.phases_s["load"])
    assert found.total_s == pytest.approx(found.forward_s + found.phases_s["load"])


def test_scatter_gather_in_place_copies_nothing_of_the_roots_own_part_but_partial_sums() -> None:
    alone, in_place = (replace(case(1), options=options) for options in ({}, {"in_place": True}))
    copied_s = COPY * (PAPER.x_bytes + PAPER.y_bytes) / MEMORY
    assert forecast(alone, machine()).forward_s - forecast(in_place, machine()).forward_s == pytest.approx(copied_s)
    summed = replace(in_place, grid=Grid(in_channel=3))
    plain = replace(summed, options={})
    collected = [forecast(each, machine()).phases_s["collect"] for each in (summed, plain)]
    assert collected[0] == collected[1]


def test_serial_moves_nothing() -> None:
    found = forecast(case(1, "serial"), machine())
    assert found.phases_s["distribute"] == found.phases_s["collect"] == 0.0
    assert found.forward_s == pytest.approx(PAPER.flops / RATE)


@pytest.mark.parametrize("movement", ["shared", "distributed"])
def test_within_a_node_shared_and_distributed_move_next_to_nothing(movement: str) -> None:
    found = forecast(case(8, movement), machine())
    assert found.forward_s == pytest.approx(found.phases_s["convolve"], rel=1e-3)


def test_other_nodes_are_reached_over_the_link_between() -> None:
    found = forecast(case(8, per_node=4), machine())
    share = PAPER.x_bytes / 8
    expected = COPY * share / MEMORY + 3 * share / WITHIN + 4 * share / BETWEEN
    assert found.phases_s["distribute"] == pytest.approx(expected, rel=1e-2)
    assert forecast(case(8, "distributed", 4), machine()).phases_s["collect"] == 0.0


def test_a_fast_backend_is_held_back_by_memory() -> None:
    fast = machine(convolve={"naive": Rates(((1, 1e15),))}, memory=copies((1, MEMORY), (16, MEMORY)))
    found = forecast(case(4), fast)
    assert found.phases_s["convolve"] == pytest.approx((PAPER.x_bytes + PAPER.y_bytes) / MEMORY)
    streaming = replace(fast, stores={"non-temporal": Rates(((1, 2 * MEMORY), (16, 2 * MEMORY)))})
    assert forecast(case(4), streaming).phases_s["convolve"] == pytest.approx(found.phases_s["convolve"] / 2)


def test_ranks_beyond_the_cores_share_them() -> None:
    one, crowded = forecast(case(2), machine(cores=2)), forecast(case(8), machine(cores=2))
    assert crowded.phases_s["convolve"] == pytest.approx(one.phases_s["convolve"])


def test_cut_sums_cost_a_reduction() -> None:
    whole = ForecastCase(PAPER, Grid(in_channel=3), "distributed", "naive", 16)
    found = forecast(whole, machine())
    assert found.phases_s["collect"] == pytest.approx(2 * (LATENCY + PAPER.y_bytes / WITHIN), rel=1e-2)


def test_a_pipelines_forward_time_is_its_total() -> None:
    found = forecast(case(4, "pipeline"), machine())
    phases = found.phases_s
    assert found.forward_s == found.total_s
    assert found.total_s == pytest.approx(phases["load"] + phases["convolve"] + phases["collect"])
    assert phases["distribute"] == pytest.approx(3 * PAPER.x_bytes / 4 / WITHIN, rel=1e-2)


def test_a_pipelines_root_sends_to_other_nodes_itself() -> None:
    found = forecast(case(4, "pipeline", per_node=2), machine())
    phases = found.phases_s
    outside = 2 * PAPER.x_bytes / 4 / BETWEEN
    together = phases["load"] + outside + phases["convolve"] + phases["collect"]
    assert found.total_s == pytest.approx(together, rel=1e-2)


def test_a_pipeline_waits_for_a_rank_that_is_slower_than_its_root() -> None:
    slow = machine(links=(link("within", 1e6),), load=Rates(((1, 1e12),)), memory=copies((1, 1e15)))
    found = forecast(case(2, "pipeline", problem=Problem(16, 3, 1, 64, 64, 3)), slow)
    assert found.total_s >= found.phases_s["distribute"] + found.phases_s["convolve"]


def test_in_a_window_a_pipelines_root_makes_x_and_convolves_its_own() -> None:
    windowed = replace(case(4, "pipeline"), options={"in_window": True})
    found = forecast(windowed, machine())
    own_s = PAPER.flops / 4 / RATE
    assert found.total_s == pytest.approx(PAPER.x_bytes / LOAD + own_s, rel=1e-3)
    assert found.forward_s == found.total_s < forecast(case(4, "pipeline"), machine()).total_s
    outside = replace(windowed, ranks_per_node=2)
    moved_s = (PAPER.x_bytes + PAPER.y_bytes) / 2 / BETWEEN
    assert forecast(outside, machine()).total_s == pytest.approx(PAPER.x_bytes / LOAD + own_s + moved_s, rel=1e-2)


def test_in_a_window_ranks_disturb_the_root_while_they_convolve() -> None:
    crowded = machine(load=Rates(((1, LOAD), (16, LOAD / 4))))
    quick = replace(crowded, convolve={"naive": Rates(((1, 1e15), (16, 1e15)))}, memory=copies((1, 1e15), (16, 1e15)))
    for probe, alone in ((crowded, False), (quick, True)):
        load_s = forecast(replace(case(16, "pipeline"), options={"in_window": True}), probe).phases_s["load"]
        assert (load_s == pytest.approx(PAPER.x_bytes / LOAD, rel=1e-2)) is alone
        assert load_s < 4 * PAPER.x_bytes / LOAD


@pytest.mark.parametrize("movement", ["distributed", "pipeline"])
def test_by_chunks_the_forward_time_is_the_total(movement: str) -> None:
    chunked = replace(case(4, movement), options={"chunk_bytes": 2**20})
    found = forecast(chunked, machine())
    assert found.forward_s == found.total_s
    assert max(found.peak_bytes) <= max(forecast(replace(chunked, options={}), machine()).peak_bytes)


def test_long_copies_go_at_their_own_rate() -> None:
    """As where a C library takes them past the caches."""
    by_size = Copies(((2**26, Rates(((1, MEMORY),))), (2**28, Rates(((1, 2 * MEMORY),)))))
    probe = machine(memory=by_size)
    short, long = Problem(4, 3, 3, 1024, 1024, 3), Problem(24, 3, 3, 1024, 1024, 3)
    for problem, rate in ((short, MEMORY), (long, 2 * MEMORY)):
        found = forecast(case(1, problem=problem), probe)
        assert found.phases_s["distribute"] == pytest.approx(COPY * problem.x_bytes / rate)


def test_memory_and_bytes_are_the_footprints() -> None:
    found = forecast(case(4), machine())
    expected = predict(PAPER, Grid(batch=4), "scatter-gather", ranks_per_node=16, backend="naive")
    assert (found.peak_bytes, found.moved_bytes) == (expected.peak_bytes, expected.moved_bytes)


def test_a_repeat_costs_its_share_of_an_hour() -> None:
    assert model.cost(1800.0, 0.5) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("probe", "what", "words"),
    [
        (machine(convolve={"numpy": Rates(((1, RATE),))}), case(2), "no rate of backend naive: it has numpy"),
        (machine(links=()), case(2), "no link within nodes, which 2 ranks need"),
        (machine(links=(link("within", WITHIN),)), case(8, per_node=4), "no link between nodes"),
    ],
)
def test_what_the_probe_lacks_is_said(probe: Probe, what: ForecastCase, words: str) -> None:
    with pytest.raises(ForecastError, match=words):
        forecast(what, probe)


@examples(60)
@given(st.integers(1, 16), st.sampled_from(MOVEMENTS), st.sampled_from((1, 4, 16)))
def test_more_ranks_never_convolve_longer_nor_anything_less_than_no_time(ranks: int, movement: str, node: int) -> None:
    found = forecast(case(ranks, movement, node), machine())
    assert all(math.isfinite(seconds) and seconds >= 0.0 for seconds in found.phases_s.values())
    fewer = forecast(case(max(1, ranks - 1), movement, node), machine())
    assert found.phases_s["convolve"] <= fewer.phases_s["convolve"] * (1 + 1e-9)
    assert len(found.peak_bytes) == ranks
    largest = max(block_of(PAPER, Grid(batch=ranks), rank).y_elements for rank in range(ranks))
    assert found.phases_s["convolve"] >= 2 * largest * 27 / RATE * (1 - 1e-9)


def test_every_movement_takes_every_grid() -> None:
    problem = Problem(4, 4, 4, 32, 32, 3)
    axes = ("batch", "out_channel", "row", "column", "in_channel", "tap_row", "tap_column")
    for (axis, other), movement in itertools.product(itertools.combinations(axes, 2), MOVEMENTS):
        found = forecast(ForecastCase(problem, Grid(**{axis: 2, other: 2}), movement, "naive", 2), machine())
        assert found.total_s > 0.0
