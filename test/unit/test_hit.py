"""The hanging ball: it flies as it is struck, and the top of its flight is read from its path."""

import numpy as np
import pytest

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.hit import HIT_GC, START, top

PHYSICS = np.array([0.4, 0.3, 0.0])
THETA = np.array([1.4, 0.0, 0.75])
TIMES = 0.01 * np.arange(80)


def outcomes(thetas, physics=PHYSICS):
    paths = rollout(HIT_GC, UR5E, np.asarray(physics), np.atleast_2d(thetas)).trajectories
    return np.array([HIT_GC.outcome_goal(path) for path in paths])


def flight(start=0.3, up=1.5, forward=1.0):
    """Return a path that hangs at START, then flies as a thrown ball does."""
    t = np.maximum(TIMES - start, 0.0)
    zero = np.zeros_like(t)
    return START + np.column_stack([zero, forward * t, up * t - 4.905 * t**2])


def test_the_ball_hangs_still_until_it_is_struck():
    world = World(HIT_GC, UR5E, PHYSICS)
    before = world.object_position
    assert np.linalg.norm(before - START) < 0.002
    for _ in range(500):
        world.step(UR5E.home, np.zeros(6))
    assert np.linalg.norm(world.object_position - before) < 1e-4


def test_the_outcome_follows_theta_and_the_physics():
    plain, faster, turned, higher = outcomes(
        THETA + np.array([[0.0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.15]])
    )
    assert abs(plain[0] - START[0]) < 0.002
    assert faster[1] > plain[1] + 0.03
    assert turned[0] < plain[0] - 0.02
    assert higher[2] > plain[2] + 0.02
    (dead,), (askew,) = outcomes(THETA, [0.65, 0.3, 0.0]), outcomes(THETA, [0.4, 0.3, 4.0])
    assert dead[1] < plain[1] - 0.03
    assert abs(askew[0] - plain[0]) > 0.01


def test_the_outcome_depends_smoothly_on_the_speed():
    thetas = np.tile(THETA, (41, 1))
    thetas[:, 0] += np.linspace(-0.02, 0.02, 41)
    found = outcomes(thetas)
    for axis in (1, 2):
        line = np.polyval(np.polyfit(thetas[:, 0], found[:, axis], 2), thetas[:, 0])
        assert np.abs(found[:, axis] - line).max() < 0.0005


def test_the_top_is_between_samples_and_the_first_one():
    path = flight(start=0.304)
    rise = 1.5 / 9.81
    expected = START + np.array([0.0, rise, 0.5 * 1.5 * rise])
    np.testing.assert_allclose(top(ObjectTrajectory(TIMES, path)), expected, atol=1e-9)
    swung = path.copy()
    swung[-10:, 2] = 1.0 - 0.01 * np.abs(np.arange(-7, 3))  # higher, but later
    np.testing.assert_allclose(top(ObjectTrajectory(TIMES, swung)), expected, atol=1e-9)


@pytest.mark.parametrize("missing", [slice(45, 46), slice(0, 80)])
def test_a_top_that_was_not_seen_is_not_guessed(missing):
    path = flight()
    path[missing] = np.nan
    with pytest.raises(ObservationMissing, match="top of its flight"):
        top(ObjectTrajectory(TIMES, path))


def test_a_ball_that_was_missed_has_no_top():
    with pytest.raises(ObservationMissing, match="top of its flight"):
        top(ObjectTrajectory(TIMES, np.tile(START, (80, 1))))


def test_noise_is_not_taken_for_a_top():
    rng = np.random.default_rng(0)
    path = flight(start=0.304)
    rise = 1.5 / 9.81
    expected = START + np.array([0.0, rise, 0.5 * 1.5 * rise])
    off = [
        top(ObjectTrajectory(TIMES, path + 0.005 * rng.standard_normal(path.shape))) - expected
        for _ in range(200)
    ]
    assert np.linalg.norm(off, axis=1).max() < 0.1
    assert np.sqrt(np.mean(np.square(off), axis=0)).max() < 0.03
