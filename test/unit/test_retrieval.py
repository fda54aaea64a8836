"""Nearest examples: right ones, in order, ties by index, clear refusals."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import DatasetError, InvalidValue
from icpi_ros.learn import retrieval
from icpi_ros.learn.retrieval import Index, Scale


def brute_force(index, theta, error, k):
    point = index.scale.point(theta, error)
    distance = np.linalg.norm(index.points - point, axis=1)
    return np.lexsort((np.arange(len(distance)), distance))[:k]


@pytest.fixture(params=[0, retrieval.MAX_COMPARED], ids=["tree", "compared"], scope="module")
def most_compared(request):
    """Examples up to which there is no tree."""
    with patch.object(retrieval, "MAX_COMPARED", request.param):
        yield


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 60))
def test_agrees_with_sorting_all_distances(most_compared, seed, k):
    rng = np.random.default_rng(seed)
    index = Index(toy.dataset(size=60, draws=6), toy.SPACE)
    theta, error = toy.SPACE.sample(rng), rng.normal(0.0, 0.3, 2)
    assert index.query(theta, error, k).tolist() == brute_force(index, theta, error, k).tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=20, max_size=60), st.integers(1, 20))
def test_ties_go_to_the_lower_index(most_compared, positions, k):
    n = len(positions)
    data = toy.dataset(size=n, draws=1)
    column = np.array(positions, dtype=float)
    data = replace(
        data,
        theta=np.column_stack([0.7 + 0.2 * column, np.zeros(n)]),
        error=np.zeros((n, 2)),
    )
    found = Index(data, toy.SPACE).query(np.array([1.0, 0.0]), np.zeros(2), k)
    gap = np.round(np.abs(data.theta[:, 0] - 1.0), 9)
    assert found.tolist() == np.lexsort((np.arange(n), gap))[:k].tolist()


def test_an_example_finds_itself_first():
    data = toy.dataset()
    index = Index(data, toy.SPACE)
    assert all(index.query(data.theta[n], data.error[n])[0] == n for n in range(0, 300, 7))


def test_units_do_not_matter():
    data = toy.dataset()
    millimetres = replace(data, error=1000.0 * data.error)
    theta, error = np.array([1.0, 0.1]), np.array([0.05, -0.2])
    metres = Index(data, toy.SPACE).query(theta, error)
    assert metres.tolist() == Index(millimetres, toy.SPACE).query(theta, 1000 * error).tolist()


def test_masked_errors_do_not_count():
    data = toy.dataset()
    index = Index(data, toy.SPACE, np.array([0.0, 1.0]))
    theta = np.array([1.0, 0.1])
    near = index.query(theta, np.array([0.0, 0.1]))
    assert near.tolist() == index.query(theta, np.array([9.0, 0.1])).tolist()


def test_constant_zero_error_has_scale_one():
    data = toy.dataset()
    data = replace(data, error=data.error * np.array([0.0, 1.0]))
    scale = Scale.of(data, toy.SPACE)
    assert scale.rms[0] == 1.0
    assert scale.rms[1] == pytest.approx(np.sqrt(np.mean(data.error[:, 1] ** 2)))


def test_dtheta_scaling_is_inverted():
    scale = Scale.of(toy.dataset(), toy.SPACE)
    step = np.array([0.3, -0.2])
    np.testing.assert_allclose(scale.unscale_dtheta(scale.dtheta(step)), step)
    np.testing.assert_allclose(scale.dtheta(2 * toy.SPACE.half_range), [2.0, 2.0])


def test_too_few_examples_are_named():
    data = toy.dataset(size=19, draws=1)
    index = Index(data, toy.SPACE)
    with pytest.raises(InvalidValue, match="needs at least 20 examples, the data set of task toy"):
        index.query(np.array([1.0, 0.0]), np.zeros(2), 20)
    filed = Index(replace(data, provenance={"file": "a.parquet"}), toy.SPACE)
    with pytest.raises(InvalidValue, match=r"data set a\.parquet has 19"):
        filed.require(20)
    with pytest.raises(InvalidValue, match="k = 0"):
        index.require(0)
    assert sorted(index.query(np.array([1.0, 0.0]), np.zeros(2), 19)) == list(range(19))


def test_values_that_are_not_finite_are_refused():
    data = toy.dataset(size=30, draws=1)
    with pytest.raises(InvalidValue, match="not finite"):
        Index(data, toy.SPACE).query(np.array([np.nan, 0.0]), np.zeros(2))
    broken = data.error.copy()
    broken[3, 1] = np.inf
    with pytest.raises(DatasetError, match="not finite"):
        Index(replace(data, error=broken), toy.SPACE)
