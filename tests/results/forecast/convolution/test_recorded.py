"""How far forecasts are off what a machine with 16 cores did, from the probe that was made before its sweeps."""

import json
import statistics
from pathlib import Path

import pytest

from orchestration.forecast.convolution.cases import of_run
from results.forecast.convolution.model import forecast
from results.forecast.convolution.probe import Probe, parse
from results.records.sweep import read_sweep

MEASURED = Path(__file__).parents[4] / "results" / "measured" / "16-core"
CHANGED = {"pipeline"}  # movements that have changed since
MEDIAN, WORST = 0.12, 0.35


@pytest.fixture(scope="module")
def probe() -> Probe:
    return parse(json.loads((MEASURED / "probe.json").read_text()), "probe.json")


def errors(sweep: str, probe: Probe) -> dict[tuple[object, ...], float]:
    """Forecast over measured forward time, minus one, of each point whose movement is as it was."""
    found = {}
    for point in read_sweep(MEASURED / sweep).points:
        case = of_run(point.convolution)
        if case.movement not in CHANGED:
            key = (case.movement, case.ranks, case.problem.batch, *case.options)
            found[key] = forecast(case, probe).forward_s / point.time().value - 1
    return found


@pytest.mark.parametrize("sweep", ["movements-forecast", "movements", "paper-simd"])
def test_a_recorded_sweep_is_forecast_closely(sweep: str, probe: Probe) -> None:
    sizes = {key: abs(error) for key, error in errors(sweep, probe).items()}
    assert len(sizes) >= 9
    assert statistics.median(sizes.values()) <= MEDIAN, sizes
    assert max(sizes.values()) <= WORST, sizes


def test_ranks_that_polled_held_back_few_and_those_that_sleep_nobody(probe: Probe) -> None:
    document = json.loads((MEASURED / "probe.json").read_text())
    rested = parse({**document, "waiting": "asleep"}, "probe.json")
    assert probe.polling_cost(1) > 1.4 > probe.polling_cost(8) > probe.polling_cost(16) == 1.0
    assert {rested.polling_cost(active) for active in (1, 8, 16)} == {1.0}
