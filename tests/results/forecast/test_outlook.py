from __future__ import annotations

from dataclasses import replace
from typing import Any

from results.forecast import outlook, predict
from results.forecast.convolution.model import ForecastCase
from results.forecast.convolution.probe import Rates
from results.forecast.predict import Asked, Terms
from results.formats import number
from results.records.gpus import ProbedGpus
from results.records.price import HourlyPrice
from tests.results.forecast.convolution.test_model import RATE, machine
from tests.results.records.test_gpus import LIMITS
from workload.domain.grid import Grid
from workload.domain.problem import Problem

SMALL = Problem(64, 3, 3, 64, 64, 3)
QUICK = machine(convolve={"naive": Rates(((1, 1000 * RATE), (16, 1000 * RATE)))})  # so that moving is what takes time


def told(
    movement: str = "scatter-gather", counts: tuple[int, ...] = (1, 2, 4, 8), backend: str = "naive", **changes: Any
) -> list[str]:
    terms = Terms(**{"probe": QUICK, "probed_ranks": 16, "price": None, "cluster_nodes": 1, **changes})
    asked = [
        Asked("strong", ForecastCase(SMALL, Grid(batch=ranks), movement, backend, min(ranks, 4)), -(-ranks // 4))
        for ranks in counts
    ]
    return outlook.sentences(predict.rows(asked, terms), terms)


def test_where_throughput_stops_rising_is_said_with_its_phase() -> None:
    (line,) = told()
    assert line.startswith("strong, scatter-gather with naive: throughput stops rising at ")
    assert "what stops it is distribute, the root's sending." in line
    assert "less than half of each rank's rate at 1 rank is left" in line


def test_a_line_that_goes_on_rising_says_so() -> None:
    (line,) = told("distributed", probe=machine())
    assert "throughput rises to the last count" in line
    assert "less than half" not in line, "it loses next to nothing"


def test_ranks_that_share_cores_are_named_as_what_stops_it() -> None:
    two = machine(2)
    (line,) = told("distributed", (1, 2, 4), probe=two)
    assert "at 2 ranks; what stops it is convolve: the ranks share cores" in line


def test_ranks_that_share_a_gpu_are_told_of_its_link() -> None:
    (line,) = told("device", (1, 2, 4), "cuda", probe=machine(gpus=ProbedGpus(1, (LIMITS,))))
    assert "what stops it is collect, the way back from the GPU, which ranks share." in line, "the slower of the two"


def test_the_price_of_a_thousand_images_is_told_at_the_ends_and_the_best() -> None:
    price = HourlyPrice(3.6, "USD")
    (line,) = told(price=price)
    asked = Asked("strong", ForecastCase(SMALL, Grid(batch=1), "scatter-gather", "naive", 1), 1)
    (row,) = predict.rows([asked], Terms(QUICK, 16, price, 1))
    expected = row.found.total_s / 3600 * 3.6 / SMALL.batch * 1000
    assert f"1,000 images cost USD {number(expected, 3)} at 1 rank" in line
    assert " at 8 ranks." in line
    (free,) = told()
    assert "cost" not in free


def test_runs_that_would_not_fit_a_node_are_told_and_stop_the_line() -> None:
    asked = [
        Asked("strong", ForecastCase(SMALL, Grid(batch=ranks), "scatter-gather", "naive", ranks), 1) for ranks in (1, 4)
    ]
    one, four = predict.rows(asked, Terms(QUICK, 16, None, 1))
    between = int((one.node_bytes + four.node_bytes) / 2 / outlook.MEMORY_SHARE)
    terms = Terms(QUICK, 16, None, 1, node_memory_bytes=between)
    assert [outlook.fits(row, terms) for row in (one, four)] == [True, False]
    (line,) = told(counts=(1, 4), node_memory_bytes=between)
    assert "Memory stops it at 4 ranks: a node would hold" in line
    (line,) = told(counts=(1, 4), node_memory_bytes=2**20)
    assert "throughput" not in line, "no count is possible"
    assert "Memory stops it at 1 rank:" in line


def test_a_node_holds_the_peaks_of_all_its_ranks() -> None:
    asked = Asked("strong", ForecastCase(SMALL, Grid(batch=4), "scatter-gather", "naive", 4), 1)
    (row,) = predict.rows([asked], Terms(QUICK, 16, None, 1))
    assert row.node_bytes == sum(row.found.peak_bytes)
    spread = replace(asked, case=replace(asked.case, ranks_per_node=1), nodes=4)
    (apart,) = predict.rows([spread], Terms(QUICK, 16, None, 4))
    assert apart.node_bytes == max(apart.found.peak_bytes)


def test_what_the_study_costs_counts_every_repeat_that_fits() -> None:
    price = HourlyPrice(3.6, "USD")
    asked = [
        Asked("strong", ForecastCase(SMALL, Grid(batch=n), "scatter-gather", "naive", n), 1, repeats=12) for n in (1, 4)
    ]
    terms = Terms(QUICK, 16, price, 1)
    rows = predict.rows(asked, terms)
    seconds = 12 * sum(row.found.total_s for row in rows)
    (told,) = outlook.study_cost(rows, terms)
    assert f"{number(seconds, 3)} s of repeats, USD {number(seconds * 3.6 / 3600, 3)};" in told
    assert outlook.study_cost(rows, Terms(QUICK, 16, None, 1)) == []
    assert outlook.study_cost(rows, replace(terms, node_memory_bytes=1)) == []


def test_one_count_alone_says_nothing_of_scaling() -> None:
    assert told(counts=(2,)) == []
