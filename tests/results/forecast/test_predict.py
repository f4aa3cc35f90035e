from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results.forecast import predict
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import Copies, ForecastError, Probe, ProbedLink, Rates
from results.forecast.predict import Asked, Terms
from results.forecast.residuals import band
from results.records.price import HourlyPrice
from results.tables.sweep.forecast import table
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.record.run import Run

SMALL = Problem(16, 3, 3, 64, 64, 3)
PROBE = Probe(
    cluster="c",
    measured_utc="2026-01-01",
    links=(ProbedLink("within", ((8, 1e-6), (10**6, 1e-4))), ProbedLink("between", ((8, 1e-4), (10**6, 1e-2)))),
    memory=Copies(((2**26, Rates(((1, 1e10), (4, 2e10)))),)),
    load=Rates(((1, 5e9), (4, 5e9))),
    multiply_add=None,
    convolve={"numpy": Rates(((1, 1e9), (4, 1e9)))},
)


def asked(ranks: int, movement: str = "scatter-gather", per_node: int = 4) -> Asked:
    nodes = -(-ranks // per_node)
    return Asked("strong", ForecastCase(SMALL, Grid(batch=ranks), movement, "numpy", min(ranks, per_node)), nodes)


def terms(**changes: Any) -> Terms:
    return Terms(**{"probe": PROBE, "probed_ranks": 4, "price": None, "cluster_nodes": 1, **changes})


def _table(given: Any, conditions: Terms) -> Any:
    return table(predict.rows(given, conditions), conditions)


def test_forecasts_stand_beside_what_was_measured_with_their_error(maker: Any) -> None:
    def slower(run: Run) -> float:
        return 1.25 * forecast(asked(run.ranks).case, PROBE).forward_s

    maker.noise = 1e-6
    maker.add_strong(counts=(1, 2, 4), law=slower)
    made = _table([asked(ranks) for ranks in (1, 2, 4)], terms(sweep=maker.read()))
    assert [record["error"] for record in made.records] == [pytest.approx(-0.2, abs=1e-4)] * 3
    assert any("Beside 3 measured points: median error 20%, worst 20%." in note for note in made.notes)
    assert all(len(str(record["run_ids"]).split()) == 3 for record in made.records)


def test_how_far_a_forecast_reaches_is_marked_and_limited() -> None:
    rows = _table([asked(ranks) for ranks in (1, 4, 8, 16)], terms()).records
    assert [row["basis"] for row in rows] == ["probed", "probed", "beyond the probe", "far beyond the probe"]
    tiny = terms(probed_ranks=1)
    with pytest.raises(ForecastError, match="16 ranks are more than 8 times the 1 that were probed"):
        _table([asked(16)], tiny)
    assert _table([asked(16)], terms(probed_ranks=1, extrapolate=True)).rows


def test_the_price_grows_with_the_nodes() -> None:
    price = HourlyPrice(2.0, "USD")
    found = _table([asked(4), asked(8)], terms(price=price))
    for record, nodes in zip(found.records, (1, 2), strict=True):
        assert record["price"] == pytest.approx(float(str(record["total_s"])) / 3600 * 2.0 * nodes)
    assert "A repeat (USD)" in found.columns


def test_a_forecast_stands_beside_points_of_its_own_options_alone(maker: Any) -> None:
    maker.add_strong(counts=(2,), movement="distributed", options={"chunk_bytes": 2**20})
    chunked = replace(
        asked(2, "distributed"), case=replace(asked(2, "distributed").case, options={"chunk_bytes": 2**20})
    )
    made = _table([asked(2, "distributed"), chunked], terms(sweep=maker.read()))
    assert [record["measured_s"] is None for record in made.records] == [True, False]


def test_the_interval_follows_from_how_far_earlier_forecasts_were_off() -> None:
    found = band([[(ranks, 0.1 * sign) for ranks in (1, 2)] for sign in (-1.0, 0.0, 1.0)])
    assert found is not None
    made = _table([asked(2), asked(16)], terms(band=found))
    for record, ranks in zip(made.records, (2, 16), strict=True):
        bounds = [record[f"forward_{end}_s"] for end in ("low", "high")]
        assert bounds == [pytest.approx(float(str(record["forward_s"])) * factor) for factor in found.at(ranks)]
    assert "Interval (s)" in made.columns
    assert any("forecasts of 6 points in 3 sweeps of this cluster were off" in note for note in made.notes)


def test_columns_that_say_nothing_are_in_the_csv_alone() -> None:
    made = _table([asked(1), asked(2)], terms())
    for header in ("Interval (s)", "Measured forward (s)", "Error (%)", "Nodes", "Basis"):
        assert header not in made.columns
    assert {"forward_low_s", "measured_s", "error", "nodes", "basis", "price", "fits"} <= set(made.records[0])


def test_stated_figures_are_called_so_and_have_no_interval() -> None:
    made = _table([asked(1), asked(2)], terms(stated=True))
    assert [record["basis"] for record in made.records] == ["stated figures"] * 2
    assert "From stated figures of cluster c, which nobody has measured" in made.notes[0]
    assert not any("Interval" in note or "No interval" in note for note in made.notes)


def test_a_noisy_probe_is_said_to_be_one() -> None:
    assert not any("rounds spread" in note for note in _table([asked(1)], terms()).notes)
    noisy = terms(probe=replace(PROBE, spread=0.4))
    assert any("rounds spread by 40%" in note for note in _table([asked(1)], noisy).notes)


def test_a_backend_that_was_not_probed_is_refused() -> None:
    case = ForecastCase(SMALL, Grid(), "serial", "simd", 1)
    with pytest.raises(ForecastError, match="no rate of backend simd"):
        _table([Asked("strong", case, 1)], terms())
