from __future__ import annotations

import pytest

from benchmarks import interval_coverage as coverage

SEEDS = 100
LEAST = 0.88  # of so few seeds; the benchmark itself wants 93 % of 1,000


@pytest.mark.parametrize("p", [0.5, 0.995])
def test_p_is_covered_under_noise_that_differs_by_count(p: float) -> None:
    found = coverage.of_p(p, coverage.UNEVEN, 5, SEEDS)
    assert found.covered >= LEAST
    assert found.width <= 1.4
    assert found.withheld == 0.0


@pytest.mark.parametrize("interval", [coverage.of_time, coverage.of_speedup])
def test_slow_cores_withhold_intervals_and_spoil_none(interval: object) -> None:
    assert callable(interval)
    even, slow = interval(0.05, 3, SEEDS), interval(0.05, 3, SEEDS, slow=True)
    assert even.covered >= LEAST
    assert even.withheld == 0.0
    assert slow.covered >= LEAST
    assert slow.withheld > 0.5


def test_a_forecast_is_covered_with_noise_between_sweeps() -> None:
    assert coverage.of_forecast(3, 0.15, 0.03, 2 * SEEDS).covered >= LEAST
    assert coverage.of_forecast(6, 0.15, 0.03, SEEDS).width <= 1.5


def test_two_sweeps_forecast_no_interval() -> None:
    with pytest.raises(ValueError, match="0 of 300 intervals are given"):
        coverage.of_forecast(2, 0.15, 0.03, 3)
