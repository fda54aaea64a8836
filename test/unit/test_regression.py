"""Weighted least squares and steps that zero a linear error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.learn.regression import (
    boxed_step,
    damped_step,
    gaussian_weights,
    ordered_pairs,
    shortened,
    weighted_ridge,
)


def test_weighted_ridge_finds_an_exact_law_whatever_the_weights():
    rng = np.random.default_rng(0)
    inputs, law = rng.normal(size=(30, 3)), rng.normal(size=(3, 2))
    found = weighted_ridge(inputs, inputs @ law, rng.uniform(0.1, 9.0, 30), np.full(3, 1e-12))
    np.testing.assert_allclose(found, law, atol=1e-9)


def test_examples_without_weight_do_not_count():
    inputs = np.array([[1.0], [1.0]])
    found = weighted_ridge(inputs, np.array([[2.0], [9.0]]), np.array([1.0, 0.0]), np.full(1, 1e-9))
    assert found[0, 0] == pytest.approx(2.0)


def test_gaussian_weights_fall_with_distance():
    weights = gaussian_weights(np.array([0.0, 1.0, 2.0]), bandwidth=0.5)
    np.testing.assert_allclose(weights, np.exp(-0.5 * np.array([0.0, 1.0, 2.0]) ** 2))
    assert gaussian_weights(np.zeros(3), 0.5).tolist() == [1.0, 1.0, 1.0]


def test_ordered_pairs():
    i, j = ordered_pairs(3)
    assert {*zip(i.tolist(), j.tolist(), strict=True)} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }


def test_the_undamped_step_zeroes_the_error_with_least_norm():
    jacobian, error = np.array([[1.0, 1.0, 0.0]]), np.array([2.0])
    np.testing.assert_allclose(damped_step(jacobian, error, 1e-9), [-1.0, -1.0, 0.0])
    assert damped_step(np.zeros((2, 3)), np.ones(2), 0.1).tolist() == [0.0, 0.0, 0.0]


def test_damping_shortens():
    jacobian, error = np.diag([1.0, 0.01]), np.ones(2)
    free, damped = (damped_step(jacobian, error, damping) for damping in (1e-9, 0.3))
    assert abs(free[1]) > 50.0
    assert abs(damped[1]) < 0.2
    assert -1.0 < damped[0] < -0.9


def test_in_the_box_one_parameter_makes_up_for_another():
    jacobian, error = np.array([[1.0, 1.0]]), np.array([2.0])
    low, high = np.array([-0.5, -3.0]), np.array([0.5, 3.0])
    step = boxed_step(jacobian, error, 1e-3, low, high)
    np.testing.assert_allclose(step, [-0.5, -1.5], atol=1e-3)  # clipping: [-0.5, -1.0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.floats(1e-3, 0.5),
    st.integers(0, 2**31),
)
def test_no_point_of_the_box_is_better(m, d, damping, seed):
    rng = np.random.default_rng(seed)
    jacobian, error = rng.normal(size=(m, d)), 3.0 * rng.normal(size=m)
    low, high = -rng.uniform(0.0, 1.0, d), rng.uniform(0.0, 1.0, d)
    step = boxed_step(jacobian, error, damping, low, high)
    assert np.all((low - 1e-9 <= step) & (step <= high + 1e-9))
    lam = damping * np.linalg.norm(jacobian, 2)

    def value(s):
        return np.sum((error + s @ jacobian.T) ** 2, axis=-1) + lam**2 * np.sum(s**2, axis=-1)

    assert value(step) <= value(rng.uniform(low, high, (200, d))).min() + 1e-9


def test_shortened():
    np.testing.assert_allclose(shortened(np.array([3.0, 4.0]), 1.0), [0.6, 0.8])
    assert shortened(np.array([0.3, 0.4]), 1.0).tolist() == [0.3, 0.4]
    assert shortened(np.zeros(2), 1.0).tolist() == [0.0, 0.0]
