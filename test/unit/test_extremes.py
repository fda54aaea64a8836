"""Bounds and extremes of the controller's quintics."""

import numpy as np
import pytest
from independent_check import peaks

from icpi_ros.motion.extremes import enclosures, extremes
from icpi_ros.motion.trajectory import JointTrajectory


def wild(rng):
    """A motion of three joints that swings far between its points."""
    count = int(rng.integers(2, 6))
    times = np.concatenate([[0.0], np.cumsum(rng.uniform(0.002, 0.5, count - 1))])
    rows = [scale * rng.standard_normal((count, 3)) for scale in (1.0, 8.0, 60.0)]
    return JointTrajectory(("a", "b", "c"), times, *rows)


def test_bounds_hold_all_extremes_and_are_met_at_points():
    rng, wide = np.random.default_rng(4), 0
    for _ in range(50):
        motion = wild(rng)
        found = zip(enclosures(motion), extremes(motion), peaks(motion), strict=True)
        for (low, high), values, (lowest, highest) in found:
            room = 1e-9 * (high - low)
            assert (low - room <= np.minimum(lowest, values.min(axis=0))).all()
            assert (high + room >= np.maximum(highest, values.max(axis=0))).all()
            wide += int((high - low > 1.001 * (highest - lowest)).sum())
    assert wide > 100  # most have their extremes between points


def test_bounds_of_a_straight_motion_are_its_values():
    at = np.arange(3.0)[:, np.newaxis]
    motion = JointTrajectory(("a",), at[:, 0], 2.0 * at, np.full_like(at, 2.0), np.zeros_like(at))
    for (low, high), expected in zip(enclosures(motion), [(0, 4), (2, 2), (0, 0)], strict=True):
        np.testing.assert_allclose((*low, *high), expected, atol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_inside_no_limit(value):
    motion = wild(np.random.default_rng(1))
    motion.accelerations[0, 1] = value
    with np.errstate(all="ignore"):
        bounds = enclosures(motion)
    assert not any(np.abs(bound[1]) <= 1e300 for low_high in bounds for bound in low_high)
