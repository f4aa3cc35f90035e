"""Tails and quantiles against scipy.stats, which takes seconds to import and so is left to the tests."""

import numpy as np
import pytest

from results import distributions

FREEDOMS = (1, 2.5, 7, 30)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_students_t(stats, freedom):
    for value in (-30.0, -1.0, 0.0, 0.3, 5.0):
        assert distributions.student_below(value, freedom) == pytest.approx(stats.t.cdf(value, freedom), rel=1e-12)
    for probability in (0.001, 0.5, 0.975, 0.9999):
        found = distributions.student_quantile(probability, freedom)
        assert found == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_chi_squared(stats, freedom):
    for value in (0.01, 1.0, 20.0):
        assert distributions.chi2_above(value, freedom) == pytest.approx(stats.chi2.sf(value, freedom), rel=1e-12)
    shares = np.array([0.01, 0.5, 0.99])
    expected = stats.chi2.ppf(shares, freedom)
    np.testing.assert_allclose(distributions.chi2_quantile(shares, freedom), expected, rtol=1e-12)


@pytest.mark.parametrize("below", [2, 9])
@pytest.mark.parametrize("above", [1, 4])
def test_f(stats, above, below):
    for value in (0.1, 1.0, 12.0):
        assert distributions.f_above(value, above, below) == pytest.approx(stats.f.sf(value, above, below), rel=1e-12)
    assert distributions.f_quantile(0.95, above, below) == pytest.approx(stats.f.ppf(0.95, above, below), rel=1e-12)
    for noncentrality in (1e-6, 1.0, 50.0):
        found = distributions.noncentral_f_above(3.0, above, below, noncentrality)
        assert found == pytest.approx(stats.ncf.sf(3.0, above, below, noncentrality), rel=1e-9)


def test_normal(stats):
    values = np.array([-3.0, 0.0, 1.3])
    np.testing.assert_allclose(distributions.normal_below(values), stats.norm.cdf(values), rtol=1e-12)
