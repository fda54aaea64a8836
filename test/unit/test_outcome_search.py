"""The search of the outcome model's belief, and the map of where that model errs."""

from dataclasses import dataclass

import numpy as np
import pytest

from icpi_ros.learn.outcome.planning import APART, Search, apart, inside, normal_draws
from icpi_ros.learn.outcome.residual import ResidualMap


@dataclass(frozen=True)
class TwoValleys:
    """A belief without doubt: a deep valley on the left, and a corner whose floor is 8 mm.

    The outcome moves with theta at 0.4 m per half-range; the left valley is doubtful.
    """

    unit = np.ones(2)
    noise = 0.0

    def predict(self, points):
        corner = 0.4 * (points - [1.02, 1.0])
        valley = 0.4 * (points - [-0.5, -0.5])
        left = points[:, :1] < 0.0
        variance = np.where(left, 0.01**2, 1e-4**2)
        return np.where(left, valley, corner), np.broadcast_to(variance, points.shape)


def searched(far):
    points = np.random.default_rng(4).uniform(-1.0, 1.0, (64, 2))
    search = Search(TwoValleys(), normal_draws(2), far=far)
    base = np.array([0.99, 0.99])
    return search.run(points, base, 0.0126, np.random.default_rng(1))


def test_a_search_that_looks_a_trial_further_leaves_a_valley_with_a_floor():
    assert searched(far=False)[0] > 0.9
    assert np.allclose(searched(far=True), -0.5, atol=0.1)


def test_steps_stay_inside_the_box_and_other_parameters_make_up_for_an_edge():
    slopes = np.array([[[1.0], [1.0], [0.0]]])  # of three parameters two count, alike
    point, value = np.array([[0.9, 0.0, 0.3]]), np.array([[-0.6]])
    step = inside(point, value, slopes)
    assert np.allclose(step, [[0.1, 0.5, 0.0]])
    assert np.allclose(inside(point, np.array([[-9.0]]), slopes), [[0.1, 1.0, 0.0]])


def test_candidates_are_kept_apart_the_best_ones_first():
    points = np.array([[0.0, 0.0], [0.01, 0.0], [0.5, 0.5], [0.5, 0.5 - 0.9 * APART], [-1.0, 1.0]])
    kept = apart(points, np.array([2.0, 1.0, 3.0, 4.0, 5.0]))
    assert kept.tolist() == [[0.01, 0.0], [0.5, 0.5], [-1.0, 1.0]]


def misses(rng, size):
    """Misses of 30 samples of 10 rows each, ``size`` times as large in one half of the inputs."""
    inputs = rng.uniform(-1.0, 1.0, (300, 2))
    scale = np.where(inputs[:, :1] > 0.0, size, 1.0)
    return inputs, scale * rng.standard_normal((300, 2)), np.repeat(np.arange(30), 10)


@pytest.mark.parametrize("seed", range(3))
def test_the_residual_is_mapped_where_the_misses_differ(seed):
    found = ResidualMap.of(*misses(np.random.default_rng(seed), 6.0))
    at = np.column_stack([np.full(9, 0.6), np.linspace(-0.8, 0.8, 9)])
    assert 4.0 < found(at).mean() / found(-at).mean() < 8.0


@pytest.mark.parametrize("seed", range(3))
def test_the_residual_is_one_number_where_they_do_not(seed):
    found = ResidualMap.of(*misses(np.random.default_rng(seed), 1.0))
    assert found(np.array([[-0.6, 0.1], [0.6, 0.1]])).tolist() == [1.0, 1.0]
