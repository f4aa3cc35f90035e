"""A forecast from the law of earlier sweeps, whose times follow a known law with noise between sweeps and launches."""

import math
import random
from pathlib import Path
from typing import Any

import pytest

from results.figures import forecast as forecast_figure
from results.forecast import law
from results.forecast.convolution.probe import ForecastError
from results.forecast.law import of_line
from results.records.sweep import RecordedSweep
from results.scaling.laws import amdahl, gustafson
from results.tables.sweep import law_forecast
from tests.results.conftest import ProgramSweep
from tests.results.report.test_answer import METRIC

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


def program_sweeps(folder: Path, metric: dict[str, Any] | None = None) -> list[RecordedSweep]:
    """Three sweeps of the same program, whose time halves with twice the ranks, or whose rate doubles."""
    found = []
    for number in range(3):
        maker = ProgramSweep(folder / f"sweep{number}", metric)
        for ranks in (1, 2, 3, 4, 6, 8):
            off = 1.0 + 0.01 * ((ranks + number) % 3)
            maker.add(ranks, 8.0 / ranks * off, value=100.0 * ranks / off)
        found.append(maker.read())
    return found


@pytest.mark.parametrize("metric", [None, METRIC])
def test_a_program_is_foretold_in_what_its_tables_show(tmp_path: Path, metric: dict[str, Any] | None) -> None:
    sweeps = program_sweeps(tmp_path, metric)
    maker = ProgramSweep(tmp_path / "new", metric)
    runs = [maker.run(ranks) for ranks in (4, 16, 32)]
    event = law.document({run.run_id: (run, "strong") for run in runs}, sweeps)
    assert event["earlier"] == ["sweep0", "sweep1", "sweep2"]
    rows = law.rows([("strong", run) for run in runs], event["forecasts"], sweeps[0], extrapolate=False)
    for row in rows:
        exact = 8.0 / row.run.ranks if metric is None else 100.0 * row.run.ranks
        assert row.value == pytest.approx(exact, rel=0.1)
        assert row.interval is not None
        assert row.interval[0] < row.value < row.interval[1]
    assert [row.basis for row in rows] == ["measured", "beyond the measured ranks", law.FAR_WORDS]
    assert [row.measured is not None for row in rows] == [True, False, False]
    found = law_forecast.table(rows, event)
    header = "rate (MLUP/s)" if metric else "Wall time (s)"
    assert header in found.columns
    assert "From the law that fits 3 earlier sweeps best: sweep0, sweep1, sweep2." in found.notes
    drawing = forecast_figure.draw("strong", forecast_figure.of_law(rows))
    assert law.FAR_WORDS in drawing.data


def test_other_programs_and_far_more_ranks_are_not_foretold(tmp_path: Path) -> None:
    sweeps = program_sweeps(tmp_path)
    maker = ProgramSweep(tmp_path / "new")
    other = maker.run(4, files="e" * 64)
    with pytest.raises(ForecastError, match="0 earlier sweeps of this program"):
        law.document({other.run_id: (other, "strong")}, sweeps)
    far = maker.run(65)
    event = law.document({far.run_id: (far, "strong")}, sweeps)
    with pytest.raises(ForecastError, match="65 ranks are more than 8 times the 8 that earlier sweeps had"):
        law.rows([("strong", far)], event["forecasts"], None, extrapolate=False)
    assert law.rows([("strong", far)], event["forecasts"], None, extrapolate=True)
