"""The forecast knows its movements by name, and refuses the others by name."""

from __future__ import annotations

import pytest

import workload.movement.descriptions
from results.forecast import accuracy
from results.forecast.convolution import movements
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.movements import ForecastPhases, UnknownMovementError
from results.forecast.convolution.probe import Copies, ForecastError, Probe, ProbedLink, Rates
from results.forecast.convolution.ranks import ForecastRanks
from results.forecast.predict import Asked, Terms, rows
from results.tables.sweep.forecast import table
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions import describe, names, scatter_gather
from workload.movement.descriptions.description import MovementDescription

SMALL = Problem(8, 3, 3, 64, 64, 3)
ONE = Rates(((1, 1e9),))
PROBE = Probe(
    cluster="c",
    measured_utc="",
    links=(ProbedLink("within", ((8, 1e-6), (10**6, 1e-4))),),
    memory=Copies(((2**20, ONE),)),
    load=ONE,
    multiply_add=None,
    convolve={"numpy": ONE},
)


def case(movement: str, ranks: int = 2) -> ForecastCase:
    return ForecastCase(SMALL, Grid(batch=ranks), movement, "numpy", ranks)


def terms() -> Terms:
    return Terms(PROBE, 8, None, 1)


@pytest.fixture
def pigeon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A movement that planning knows, as one file of workload/movement/descriptions/ would make it."""
    description = MovementDescription("carrier-pigeon", "nest:Pigeon", scatter_gather.demand)
    monkeypatch.setitem(workload.movement.descriptions._DESCRIPTIONS, "carrier-pigeon", description)


def test_every_movement_that_is_right_has_an_entry() -> None:
    right = [name for name in names() if not describe(name).wrong_on_purpose]
    assert list(movements.MODELS) == right


@pytest.mark.usefixtures("pigeon")
def test_a_movement_without_an_entry_is_refused_by_name() -> None:
    with pytest.raises(UnknownMovementError, match="movement carrier-pigeon cannot be forecast") as refusal:
        forecast(case("carrier-pigeon"), PROBE)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ForecastError, match="carrier-pigeon"):
        rows([Asked("strong", case("carrier-pigeon"), 1)], terms())


@pytest.mark.usefixtures("pigeon")
def test_a_sweeps_forecast_leaves_out_what_it_does_not_know_and_says_so() -> None:
    cases = {"a": case("tree"), "b": case("carrier-pigeon"), "c": case("replica"), "d": case("dove")}
    found = accuracy.document(cases, PROBE, None)
    assert list(found["forecasts"]) == ["a"]
    assert found["left_out"]["b"].startswith("movement carrier-pigeon cannot be forecast: ")
    assert found["left_out"]["c"] == "movement replica is wrong on purpose: nothing is forecast of it"
    assert found["left_out"]["d"].startswith("movement = 'dove' is unknown: ")


@pytest.mark.usefixtures("pigeon")
def test_a_new_movement_is_forecast_by_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def carrier_pigeon(ranks: ForecastRanks) -> ForecastPhases:
        return ForecastPhases(ranks.root_load_s(), 3600.0, ranks.convolve_s(), 3600.0)

    monkeypatch.setitem(movements.MODELS, "carrier-pigeon", carrier_pigeon)
    found = forecast(case("carrier-pigeon"), PROBE)
    assert found.forward_s == pytest.approx(7200.0 + found.phases_s["convolve"])
    made = table(rows([Asked("strong", case("carrier-pigeon"), 1)], terms()), terms())
    assert "carrier-pigeon" in made.rows[0]
