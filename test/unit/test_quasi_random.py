"""Quasi-random points and quantiles: bit for bit those of scipy."""

import numpy as np
import pytest

from icpi_ros.learn import quasi_random
from icpi_ros.learn.quasi_random import chi_squared_quantiles, normal_quantiles, sobol


@pytest.mark.parametrize(
    ("dim", "count", "seed"), [(1, 2, 0), (2, 256, 0), (3, 64, 1), (9, 1024, 0)]
)
def test_points_are_those_of_scipy(dim, count, seed, monkeypatch):
    from scipy.stats import qmc

    expected = qmc.Sobol(dim, rng=np.random.default_rng(seed)).random(count)
    np.testing.assert_array_equal(sobol(dim, count, seed), expected)
    monkeypatch.setattr(quasi_random, "_DIRECTIONS", "stats/elsewhere.npz")
    np.testing.assert_array_equal(sobol(dim, count, seed), expected)


def test_quantiles_are_those_of_scipy():
    from scipy.stats import chi2, norm

    shares = np.clip(sobol(4, 1024, 0), 1e-6, 1.0 - 1e-6)
    np.testing.assert_array_equal(normal_quantiles(shares), norm.ppf(shares))
    np.testing.assert_array_equal(chi_squared_quantiles(shares, 3), chi2.ppf(shares, 3))
