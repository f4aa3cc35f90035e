from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.scaling import fits
from results.scaling.fits import AMDAHL, GUSTAFSON, PEAK, USL_STRONG, USL_WEAK, Law, NoFitError, TooFewPointsError
from results.scaling.laws import amdahl, gustafson
from tests.marks import examples

ONE_RANK_S = 2.0
CONTENTION, COHERENCY, FRACTION = 0.05, 0.004, 0.95
COUNTS = tuple(range(1, 9))
Truth = tuple[Law, Callable[[int], float], dict[str, float]]


def usl_time(n: int) -> float:
    """Seconds of a fixed share a rank: Gunther's C(n) = n / (1 + contention (n - 1) + coherency n (n - 1))."""
    return ONE_RANK_S * (1 + CONTENTION * (n - 1) + COHERENCY * n * (n - 1))


USL = {"contention": CONTENTION, "coherency": COHERENCY, PEAK: math.sqrt((1 - CONTENTION) / COHERENCY)}
FRACTIONS = {"p": FRACTION, "serial fraction": 1 - FRACTION}
TRUTHS: list[Truth] = [
    (AMDAHL, lambda n: ONE_RANK_S / amdahl(FRACTION, n), FRACTIONS),
    (GUSTAFSON, lambda n: n * ONE_RANK_S / gustafson(FRACTION, n), FRACTIONS),
    (USL_STRONG, lambda n: usl_time(n) / n, USL),
    (USL_WEAK, usl_time, USL),
]


def noisy(law: Callable[[int], float], seed: int, noise: float = 0.03, launches: int = 3) -> list[tuple[int, float]]:
    rng = random.Random(seed)  # noqa: S311  # noise, not secrets
    return [(n, law(n) * rng.lognormvariate(0.0, noise)) for _ in range(launches) for n in COUNTS]


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: f"{truth[0].name}-{truth[0].scaling}")
def test_exact_times_give_the_parameters_back(truth: Truth) -> None:
    law, time, parameters = truth
    found = fits.fit(law, [(n, time(n)) for n in COUNTS])
    assert {name: found.parameters[name].value for name in parameters} == pytest.approx(parameters, rel=1e-6)
    assert found.one_rank_s.value == pytest.approx(ONE_RANK_S)
    assert max(map(abs, found.residuals.values())) < 1e-9
    assert list(found.residuals) == list(COUNTS)


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: f"{truth[0].name}-{truth[0].scaling}")
def test_intervals_cover_the_truth_in_at_least_88_of_100_seeds(truth: Truth) -> None:
    """benchmarks/law_coverage.py does it with 1,000, where 930 to 970 are asked for."""
    law, time, parameters = truth
    covered = dict.fromkeys([*parameters, "one rank"], 0)
    for seed in range(100):
        found = fits.fit(law, noisy(time, seed))
        for name, value in parameters.items():
            if (bounds := found.parameters.get(name)) is not None:
                covered[name] += bounds.low <= value <= bounds.high
        covered["one rank"] += found.one_rank_s.low <= ONE_RANK_S <= found.one_rank_s.high
    assert min(covered.values()) >= 88, covered


UNEVEN = {1: 0.19, 2: 0.02, 4: 0.11, 8: 0.06, 16: 0.06}  # noise by rank count


@pytest.mark.parametrize("p", [0.95, 0.995])
def test_noise_that_differs_by_count_is_covered(p: float) -> None:
    covered = 0
    for seed in range(100):
        rng = random.Random(seed)  # noqa: S311  # noise, not secrets
        times = [
            (n, ONE_RANK_S / amdahl(p, n) * rng.lognormvariate(0.0, noise))
            for _ in range(5)
            for n, noise in UNEVEN.items()
        ]
        found = fits.fit(AMDAHL, times).parameters["p"]
        covered += found.low <= p <= found.high
    assert covered >= 88


def test_the_departure_that_is_told_is_found_in_four_of_five_cases() -> None:
    """The points lie off the law by the departure, up and down in turn, as the law cannot follow."""
    counts = (1, 2, 4, 8, 16, 32)
    law = [(n, ONE_RANK_S / amdahl(FRACTION, n)) for n in counts]

    def made(seed: int, departure: float) -> fits.Fit:
        rng = random.Random(seed)  # noqa: S311  # noise, not secrets
        times = []
        for place, (n, seconds) in enumerate(law):
            off = departure * (1, -1, -1, 1, 1, -1)[place]
            times += [(n, seconds * math.exp(off) * rng.lognormvariate(0.0, 0.03)) for _ in range(3)]
        return fits.fit(AMDAHL, times)

    departure = statistics.median(made(seed, 0.0).departure or 0.0 for seed in range(40))
    found = sum(made(seed, math.log1p(departure)).holds is False for seed in range(100))
    assert 65 <= found <= 92


def test_a_law_that_the_points_do_not_follow_is_found_out() -> None:
    rejected = sum(fits.fit(AMDAHL, noisy(lambda n: usl_time(n) / n, seed, 0.01)).holds is False for seed in range(20))
    kept = sum(bool(fits.fit(USL_STRONG, noisy(lambda n: usl_time(n) / n, seed, 0.01)).holds) for seed in range(20))
    assert rejected >= 18
    assert kept >= 18


def test_the_published_slip_has_a_negative_serial_fraction() -> None:
    """Times that fall as 1 / n^2 leave the textbook's range, and the fit says so instead of stopping at its edge."""
    found = fits.fit(AMDAHL, noisy(lambda n: ONE_RANK_S / n**2, 1))
    assert found.parameters["serial fraction"].high < 0.0


def test_without_coherency_the_peak_has_no_upper_bound() -> None:
    bounds = [
        found.parameters[PEAK]
        for seed in range(30)
        if PEAK in (found := fits.fit(USL_STRONG, noisy(lambda n: ONE_RANK_S * (0.9 / n + 0.1), seed))).parameters
    ]
    assert bounds
    assert sum(math.isinf(peak.high) for peak in bounds) >= 0.8 * len(bounds)
    assert all(0.0 <= peak.low <= peak.value <= peak.high for peak in bounds)


@pytest.mark.parametrize(("law", "needed"), [(AMDAHL, 5), (GUSTAFSON, 5), (USL_STRONG, 6), (USL_WEAK, 6)])
def test_too_few_rank_counts_are_refused(law: Law, needed: int) -> None:
    times = [(n, 1.0 / n) for n in range(1, needed)] * 5
    with pytest.raises(TooFewPointsError, match=f"{needed - 1} distinct rank counts are too few.*{needed} are needed"):
        fits.fit(law, times)
    fits.fit(law, [*times, (needed, 1.0 / needed)])


@pytest.mark.parametrize("time", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_time_is_refused(time: float) -> None:
    with pytest.raises(ValueError, match="is not a measurement"):
        fits.fit(AMDAHL, [(n, 1.0) for n in range(1, 6)] + [(6, time)])


@examples(60)
@given(st.lists(st.floats(1e-6, 1e6), min_size=8, max_size=8), st.sampled_from(fits.LAWS))
def test_any_times_at_all_give_a_finite_fit_or_a_reason(times: list[float], law: Law) -> None:
    try:
        found = fits.fit(law, list(zip(COUNTS, times, strict=True)))
    except NoFitError:
        return
    assert all(math.isfinite(parameter.value) for parameter in found.parameters.values())
    assert math.isfinite(found.noise)
    assert found.lack_of_fit is None


@given(st.floats(0.001, 1000.0))
def test_units_change_the_one_rank_time_alone(factor: float) -> None:
    times = noisy(lambda n: usl_time(n) / n, 1)
    one = fits.fit(USL_STRONG, times)
    other = fits.fit(USL_STRONG, [(n, time * factor) for n, time in times])
    assert other.one_rank_s.value == pytest.approx(one.one_rank_s.value * factor, rel=1e-5)
    assert other.parameters["contention"].value == pytest.approx(one.parameters["contention"].value, rel=1e-4)
