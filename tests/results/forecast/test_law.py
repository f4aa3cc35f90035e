"""A forecast from the law of earlier sweeps, whose times follow a known law with noise between sweeps and launches."""

import math
import random

import pytest

from results.forecast.law import of_line
from results.forecast.probe import ForecastError
from results.scaling.laws import amdahl, gustafson

COUNTS = (1, 2, 3, 4, 6, 8)


def sweep(seed: int, scaling: str, counts: tuple[int, ...] = COUNTS, noise: float = 0.01) -> list[tuple[int, float]]:
    """Three launches a count; the whole sweep is a little faster or slower than others."""
    rng = random.Random(seed)  # noqa: S311  noise, no secret
    level = rng.gauss(0.0, noise)
    return [
        (ranks, 10.0 * share(scaling, ranks) * math.exp(level + rng.gauss(0.0, noise)))
        for ranks in counts
        for _ in range(3)
    ]


def share(scaling: str, ranks: int) -> float:
    return 1.0 / amdahl(0.95, ranks) if scaling == "strong" else ranks / gustafson(0.95, ranks)


@pytest.mark.parametrize("scaling", ["strong", "weak"])
def test_it_foretells_counts_that_no_sweep_had(scaling: str) -> None:
    found = of_line(scaling, {f"s{seed}": sweep(seed, scaling) for seed in range(4)})
    for ranks in (5, 16):
        entry = found.entry(ranks)
        low, high = entry["interval_s"]
        assert entry["headline_s"] == pytest.approx(10.0 * share(scaling, ranks), rel=0.1)
        assert low < entry["headline_s"] < high


def test_intervals_hold_what_a_further_sweep_measures() -> None:
    """Of 95 in 100, here at least 85 of 100: an interval that forgot what sweeps have in common holds far less."""
    inside = total = 0
    for trial in range(25):
        found = of_line("strong", {f"s{n}": sweep(100 * trial + n, "strong", noise=0.05) for n in range(5)})
        times = sweep(100 * trial + 50, "strong", noise=0.05)
        for ranks in COUNTS:
            mean = math.exp(sum(math.log(time) for count, time in times if count == ranks) / 3)
            low, high = found.entry(ranks)["interval_s"]
            inside, total = inside + (low <= mean <= high), total + 1
    assert inside / total > 0.85


def test_fewer_than_three_sweeps_make_none() -> None:
    with pytest.raises(ForecastError, match="2 earlier sweeps of this program on this cluster: 3 make a forecast"):
        of_line("strong", {f"s{seed}": sweep(seed, "strong") for seed in range(2)})
    with pytest.raises(ForecastError, match="0 earlier sweeps"):
        of_line("weak", {})


def test_too_few_rank_counts_for_a_law_make_none() -> None:
    with pytest.raises(ForecastError, match="2 distinct rank counts are too few to fit Amdahl's law"):
        of_line("strong", {f"s{seed}": sweep(seed, "strong", counts=(1, 2)) for seed in range(3)})


def test_without_an_interval_where_a_law_needs_every_sweep() -> None:
    parts = {"a": (1, 2, 3), "b": (3, 4, 6), "c": (6, 8)}
    found = of_line("strong", {name: sweep(7, "strong", counts=counts) for name, counts in parts.items()})
    assert found.entry(5)["interval_s"] is None
