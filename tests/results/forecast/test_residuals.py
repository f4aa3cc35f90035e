from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.estimates import CONFIDENCE
from results.forecast import residuals
from results.forecast.residuals import LEAST_SWEEPS, MOST_SWEEPS, Residual, band
from workload.record.schema import SCHEMA_VERSION, SchemaError

COUNTS = (1, 2, 4, 8)


def drawn(rng: random.Random, slope: float, between: float, within: float, counts: Sequence[int]) -> list[Residual]:
    """A sweep that is off as a whole, and each of its points besides."""
    sweep = rng.gauss(0.1, between)
    return [(ranks, sweep + slope * math.log2(ranks) + rng.gauss(0.0, within)) for ranks in counts]


@pytest.mark.parametrize(("slope", "new"), [(0.0, 4), (0.2, 4), (0.0, 64), (0.2, 64)])
@pytest.mark.parametrize("sweeps", [3, 6])
@pytest.mark.parametrize(("between", "within"), [(0.15, 0.03), (0.0, 0.15)])
def test_a_new_sweep_lies_in_the_interval_as_often_as_is_said(
    slope: float, new: int, sweeps: int, between: float, within: float
) -> None:
    """Also far beyond the measured counts, if forecasts get worse with the ranks, and if sweeps differ as wholes."""
    inside = 0
    for seed in range(300):
        rng = random.Random(seed)  # noqa: S311  # noise, not secrets
        found = band([drawn(rng, slope, between, within, COUNTS * 2) for _ in range(sweeps)])
        assert found is not None
        low, high = found.at(new)
        inside += low <= math.exp(drawn(rng, slope, between, within, (new,))[0][1]) <= high
    assert inside / 300 >= 0.92, CONFIDENCE


@given(st.lists(st.floats(-1.0, 1.0), min_size=12, max_size=24), st.integers(1, 512))
def test_the_interval_widens_with_the_distance_from_what_was_measured(values: list[float], ranks: int) -> None:
    found = band([[(COUNTS[index % 4], value) for index, value in enumerate(values[part::3])] for part in range(3)])
    assert found is not None
    low, high = found.at(ranks)
    nearest_low, nearest_high = found.at(2)
    assert 0.0 < low <= high < math.inf
    if ranks > max(COUNTS):
        assert high / low >= nearest_high / nearest_low * (1 - 1e-9)


@pytest.mark.parametrize(
    "known",
    [
        [],
        [[(1, 0.1), (2, 0.1), (4, 0.1), (8, 0.1)]] * (LEAST_SWEEPS - 1),
        [[(2, 0.1)]] * 9,
        [[(1, 0.1)], [(2, 0.1)], [(1, 0.1), (2, 0.2)]],
    ],
)
def test_too_little_gives_no_interval(known: list[list[Residual]]) -> None:
    assert band(known) is None


def test_what_is_kept_is_read_again_and_the_oldest_sweeps_are_forgotten() -> None:
    known: dict[str, list[Residual]] = {}
    for sweep in range(MOST_SWEEPS + 3):
        kept = residuals.document(known, f"sweep-{sweep}", [(1, 0.1), (2, float(sweep))])
        known = residuals.parse(json.loads(json.dumps(kept)), "residuals.json")
    assert list(known) == [f"sweep-{sweep}" for sweep in range(3, MOST_SWEEPS + 3)]
    again = residuals.parse(residuals.document(known, "sweep-5", [(4, 0.5)]), "residuals.json")
    assert list(again)[-1] == "sweep-5", "measured again, it is the newest"
    assert again["sweep-5"] == [(4, 0.5)]


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 99},
        {"sweeps": None},
        {"sweeps": {"a": 1}},
        {"sweeps": {"a": [0.1]}},
        {"sweeps": {"a": [[0, 0.1]]}},
        {"sweeps": {"a": [[True, 0.1]]}},
        {"sweeps": {"a": [[2, "x"]]}},
        {"sweeps": {"a": [[2, math.inf]]}},
        {"sweeps": {"a": [[2, 0.1, 3]]}},
    ],
)
def test_what_holds_no_residuals_is_refused_in_one_line(change: dict[str, Any]) -> None:
    document = {"schema_version": SCHEMA_VERSION, "kind": "residuals", "sweeps": {}} | change
    with pytest.raises(SchemaError, match=r"residuals\.json") as refusal:
        residuals.parse(document, "residuals.json")
    assert "\n" not in str(refusal.value)
