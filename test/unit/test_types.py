import numpy as np
import pytest

from icpi_ros.core.types import ObjectTrajectory


@pytest.mark.parametrize(
    "times", [[0.0, np.nan, 2.0], [0.0, 1.0, np.inf], [0.0, 1.0, 1.0], [2.0, 1.0, 0.0]]
)
def test_time_must_go_forward(times):
    with pytest.raises(ValueError, match="not finite and strictly increasing"):
        ObjectTrajectory(np.array(times), np.zeros((3, 3)))


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="do not fit"):
        ObjectTrajectory(np.arange(2.0), np.zeros((3, 3)))


def test_short_trajectories_are_allowed():
    assert ObjectTrajectory(np.empty(0), np.empty((0, 3))).coverage == 0.0
    assert ObjectTrajectory(np.array([-0.1]), np.zeros((1, 3))).coverage == 1.0
