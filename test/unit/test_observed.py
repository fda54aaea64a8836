"""Observed positions of a described task, on made-up paths with gaps."""

import numpy as np
import pytest

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.tasks.described.observed import (
    CrossingPosition,
    HighestPosition,
    NearestPosition,
    RestPosition,
    TimedPosition,
)

SPEED, UP, GRAVITY, HEIGHT = 2.0, 3.0, 9.81, 0.5
GOAL = np.zeros(2)
XY, XZ = ("x", "y"), ("x", "z")


def thrown(samples=90, missing=()):
    """Path of a throw along x from z = 0.5 m, at 100 Hz; it hits the floor after 0.75 s."""
    times = 0.01 * np.arange(samples)
    z = np.maximum(HEIGHT + UP * times - 0.5 * GRAVITY * times**2, 0.0)
    path = np.stack([SPEED * times, np.full(samples, 0.1), z], axis=1)
    path[list(missing)] = np.nan
    return ObjectTrajectory(times, path)


def test_rest_is_the_last_sample():
    np.testing.assert_allclose(RestPosition(XY).of(thrown(), GOAL), [SPEED * 0.89, 0.1])


def test_time_is_straight_between_samples_and_after_the_end_the_last():
    np.testing.assert_allclose(TimedPosition(("x",), 0.123).of(thrown(), GOAL), [SPEED * 0.123])
    np.testing.assert_allclose(TimedPosition(("x",), 9.0).of(thrown(), GOAL), [SPEED * 0.89])
    np.testing.assert_allclose(TimedPosition(("x",), 0.2).of(thrown(missing=[21]), GOAL), [0.4])


@pytest.mark.parametrize("direction", [-1, 0])
def test_a_crossing_lies_on_the_plane(direction):
    found = CrossingPosition(("x", "z"), "z", 0.3, direction).of(thrown(), GOAL)
    when = (UP + np.sqrt(UP**2 + 2.0 * GRAVITY * (HEIGHT - 0.3))) / GRAVITY
    np.testing.assert_allclose(found, [SPEED * when, 0.3], atol=2e-4)


def test_the_direction_of_a_crossing_decides_which_one():
    up, down, any_ = (CrossingPosition(("x",), "z", 0.8, d).of(thrown(), GOAL) for d in (1, -1, 0))
    root = np.sqrt(UP**2 - 2.0 * GRAVITY * 0.3)
    np.testing.assert_allclose(up, SPEED * (UP - root) / GRAVITY, atol=2e-4)
    np.testing.assert_allclose(down, SPEED * (UP + root) / GRAVITY, atol=2e-4)
    np.testing.assert_array_equal(any_, up)


def test_a_plane_of_another_coordinate_can_be_crossed():
    found = CrossingPosition(("y",), "x", 0.5, 1).of(thrown(), GOAL)
    np.testing.assert_allclose(found, [0.1])


def test_the_highest_position_does_not_depend_on_the_grid_of_samples():
    found = HighestPosition(XZ).of(thrown(), GOAL)
    top = UP / GRAVITY
    np.testing.assert_allclose(found, [SPEED * top, HEIGHT + 0.5 * UP * top], atol=1e-9)


def test_the_highest_of_a_path_that_only_falls_is_its_first_sample():
    trajectory = thrown()
    falling = ObjectTrajectory(trajectory.times[:50], trajectory.positions[40:])
    np.testing.assert_allclose(HighestPosition(("z",)).of(falling, GOAL), falling.positions[0, 2:])


def test_the_closest_approach_to_the_goal_is_that_of_the_path_between_samples():
    found = NearestPosition(XY, {}).of(thrown(), np.array([0.503, 0.4]))
    np.testing.assert_allclose(found, [0.503, 0.1], atol=1e-12)


def test_the_closest_approach_to_a_point_counts_the_named_coordinates_alone():
    found = NearestPosition(("y", "z"), {"x": 0.503}).of(thrown(), GOAL)
    t = 0.503 / SPEED
    np.testing.assert_allclose(found, [0.1, HEIGHT + UP * t - 0.5 * GRAVITY * t**2], atol=2e-4)


EVERY = [
    RestPosition(XY),
    TimedPosition(XY, 0.3),
    NearestPosition(XY, {}),
    CrossingPosition(("x",), "z", 0.3, -1),
    HighestPosition(XY),
]


@pytest.mark.parametrize("observed", EVERY, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("samples", [0, 1, 40])
def test_of_nothing_seen_nothing_is_made(observed, samples):
    unseen = ObjectTrajectory(0.01 * np.arange(samples), np.full((samples, 3), np.nan))
    with pytest.raises(ObservationMissing):
        observed.of(unseen, GOAL)


@pytest.mark.parametrize(
    ("observed", "missing"),
    [
        (RestPosition(XY), [89]),
        (TimedPosition(XY, 0.303), [30]),
        (TimedPosition(XY, 0.303), [31]),
        (NearestPosition(XY, {}), range(0, 90, 5)),
        (CrossingPosition(XY, "z", 0.3, -1), [67]),
        (CrossingPosition(XY, "z", 0.3, -1), range(10, 30)),
        (CrossingPosition(XY, "z", 7.0, 0), []),
        (CrossingPosition(XY, "x", 0.5, -1), []),
        (HighestPosition(XY), [31]),
        (HighestPosition(XY), range(0, 60, 3)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list | range) else str(value),
)
def test_a_gap_where_it_counts_is_not_bridged(observed, missing):
    with pytest.raises(ObservationMissing):
        observed.of(thrown(missing=missing), np.array([0.6, 0.4]))


@pytest.mark.parametrize(
    ("observed", "missing"),
    [
        (RestPosition(XY), range(40)),
        (TimedPosition(XY, 0.3), range(31, 80)),
        (CrossingPosition(XY, "z", 0.3, -1), range(75, 90)),
        (CrossingPosition(XY, "z", 0.3, -1), [20, 21]),
        (HighestPosition(XY), [60]),
        (NearestPosition(XY, {}), [80]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list | range) else str(value),
)
def test_a_gap_elsewhere_does_not_matter(observed, missing):
    whole, gaps = (observed.of(thrown(missing=m), np.array([0.6, 0.4])) for m in ((), missing))
    np.testing.assert_array_equal(whole, gaps)
