from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.audit.paper.published import document
from results.scaling.laws import amdahl, gustafson, karp_flatt, scaled_serial_fraction

FRACTIONS = st.floats(0.0, 1.0)
COUNTS = st.integers(1, 100_000)


def test_the_papers_numbers_at_eight_ranks() -> None:
    assert round(amdahl(0.9, 8), 1) == 4.7
    assert round(gustafson(0.9, 8), 1) == 7.3
    claimed = {claim["section"]: claim["speedup"] for claim in document()["claims"] if "speedup" in claim}
    assert claimed == {"2.1": round(amdahl(0.9, 8), 1), "2.2": round(gustafson(0.9, 8), 1)}


@given(FRACTIONS, COUNTS)
def test_both_laws_lie_between_one_and_linear(p: float, n: int) -> None:
    assert 1.0 - 1e-9 <= amdahl(p, n) <= gustafson(p, n) * (1 + 1e-9) <= n * (1 + 2e-9)


@given(st.floats(0.01, 0.99), COUNTS)
def test_amdahl_never_passes_its_limit(p: float, n: int) -> None:
    assert amdahl(p, n) < 1.0 / (1.0 - p)


@pytest.mark.parametrize("law", [amdahl, gustafson])
@pytest.mark.parametrize(("p", "n"), [(-0.1, 2), (1.1, 2), (float("nan"), 2), (0.5, 0), (0.5, float("nan"))])
def test_out_of_range_is_refused(law: object, p: float, n: float) -> None:
    assert callable(law)
    with pytest.raises(ValueError, match="out of range: give"):
        law(p, n)


@given(FRACTIONS, st.integers(2, 10_000))
def test_the_serial_fraction_of_a_lawful_speedup_is_the_laws(p: float, n: int) -> None:
    assert karp_flatt(amdahl(p, n), n) == pytest.approx(1.0 - p, abs=1e-9)
    assert scaled_serial_fraction(gustafson(p, n), n) == pytest.approx(1.0 - p, abs=1e-9)


def test_a_speedup_above_the_rank_count_has_a_negative_serial_fraction() -> None:
    assert karp_flatt(44.02 / 0.88, 8) < 0.0  # the paper's fat cluster
    assert scaled_serial_fraction(9.0, 8) < 0.0


@pytest.mark.parametrize("law", [karp_flatt, scaled_serial_fraction])
@pytest.mark.parametrize(("speedup", "n"), [(0.0, 2), (-1.0, 2), (float("nan"), 2), (1.0, 1)])
def test_no_serial_fraction_of_one_rank_or_no_speedup(law: Any, speedup: float, n: float) -> None:
    with pytest.raises(ValueError, match="out of range: give"):
        law(speedup, n)
