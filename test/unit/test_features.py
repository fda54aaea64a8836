"""What improvers see of an outcome: relative error, or state and goal."""

import numpy as np
import pytest
import toy

from icpi_ros.core.errors import InvalidValue
from icpi_ros.learn.features import Features

GOAL = np.array([0.6, 0.42])
ERROR = np.array([[0.10, -0.05], [0.02, 0.03]])


def test_error_features_are_the_errors():
    features = Features.of("error", toy.dataset(), GOAL)
    assert features.trial(ERROR) is ERROR
    np.testing.assert_allclose(features.pair(ERROR[0], ERROR[1]), ERROR[0] - ERROR[1])
    np.testing.assert_array_equal(features.mask(np.array([1.0, 0.0])), [1.0, 0.0])


def test_raw_features_are_state_and_goal():
    data = toy.dataset(goal=np.array([0.5, 0.4]))
    features = Features.of("raw", data, GOAL)
    centre = np.array([0.5, 0.4])
    state = ERROR + GOAL - centre
    np.testing.assert_allclose(
        features.trial(ERROR), np.column_stack([state, np.tile(GOAL - centre, (2, 1))])
    )
    np.testing.assert_array_equal(features.mask(np.array([1.0, 0.0])), [1.0, 0.0, 1.0, 0.0])
    examples = features.examples(data)
    np.testing.assert_array_equal(examples.error[:, 2:], 0.0)  # a fixed goal is the origin
    np.testing.assert_allclose(examples.error[:, :2], data.error)
    np.testing.assert_array_equal(examples.dtheta, data.dtheta)


def test_a_raw_pair_has_the_other_trials_state_as_its_goal():
    features = Features.of("raw", toy.dataset(), GOAL)
    first, second = features.trial(ERROR)[:, :2]
    np.testing.assert_allclose(features.pair(ERROR[0], ERROR[1]), [*first, *second])


def test_unknown_features():
    with pytest.raises(InvalidValue, match="features = 'pixels': choose error or raw"):
        Features.of("pixels", toy.dataset(), GOAL)
