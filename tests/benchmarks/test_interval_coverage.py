from __future__ import annotations

import random

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


@pytest.mark.parametrize("noise", [0.02, 0.08])
@pytest.mark.parametrize("interval", [coverage.of_time_after_looks, coverage.of_speedup_after_looks])
def test_intervals_after_launches_were_added_are_covered(interval: object, noise: float) -> None:
    assert callable(interval)
    assert interval(noise, SEEDS).covered >= LEAST


def test_p_is_covered_after_launches_were_added() -> None:
    assert coverage.of_p_after_looks(0.95, coverage.EVEN, SEEDS).covered >= LEAST


def test_no_launch_is_added_to_a_precise_time_nor_beyond_the_most() -> None:
    def launches(noise: float) -> set[int]:
        return {len(coverage.added(random.Random(seed), noise)[0]) for seed in range(20)}  # noqa: S311  # noise

    assert launches(1e-4) == {coverage.MIN_LAUNCHES}
    assert launches(10.0) == {coverage.MOST_LAUNCHES}


def test_a_forecast_is_covered_with_noise_between_sweeps() -> None:
    assert coverage.of_forecast(3, 0.15, 0.03, 2 * SEEDS).covered >= LEAST
    assert coverage.of_forecast(6, 0.15, 0.03, SEEDS).width <= 1.5


def test_two_sweeps_forecast_no_interval() -> None:
    with pytest.raises(ValueError, match="0 of 300 intervals are given"):
        coverage.of_forecast(2, 0.15, 0.03, 3)
