import numpy as np
import pytest

from icpi_ros.core.errors import MotionRefused, ObservationMissing
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.motion.primitives import swings
from icpi_ros.robots.ur5e_stick import PEDESTAL_HEIGHT, UR5E_STICK
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.rope_swing import ROPE_SWING, closest_approach

PHYSICS = np.array([0.55, 0.06, 0.005, 0.001])
THETAS = ROPE_SWING.space.sample(np.random.default_rng(0), 16)


def path(points):
    points = np.asarray(points, dtype=float)
    positions = np.column_stack([points[:, 0], np.zeros(len(points)), points[:, 1]])
    return ObjectTrajectory(0.004 * np.arange(len(points)), positions)


def test_closest_approach_lies_between_samples():
    approach = closest_approach(path([[0, 0], [1, 0], [1, 1]]), np.array([0.25, 0.3]))
    np.testing.assert_allclose(approach.position, [0.25, 0.0])
    assert approach.time == pytest.approx(0.001)
    corner = closest_approach(path([[0, 0], [1, 0], [1, 1]]), np.array([2.0, -1.0]))
    np.testing.assert_allclose(corner.position, [1.0, 0.0])


def test_gaps_are_not_bridged_and_too_many_are_refused():
    points = np.column_stack([np.linspace(0, 1, 101), np.zeros(101)])
    points[50] = np.nan
    near = closest_approach(path(points), np.array([0.5, 0.1])).position
    assert abs(near[0] - 0.5) == pytest.approx(0.01)
    points[40:60] = np.nan
    with pytest.raises(ObservationMissing, match="80% of the samples: 90% are needed"):
        closest_approach(path(points), np.array([0.5, 0.1]))


def test_the_rope_hangs_at_rest_where_the_swing_starts():
    world = World(ROPE_SWING, UR5E_STICK, PHYSICS)
    motion = ROPE_SWING.motion(THETAS[0], UR5E_STICK)
    np.testing.assert_array_equal(motion.ready, motion.start)
    world.reset(motion.ready)
    tool, rotation = UR5E_STICK.tool_pose(motion.ready)
    np.testing.assert_allclose(rotation[:, 2], [0.0, 0.0, -1.0], atol=1e-12)
    hanging = world.object_position
    np.testing.assert_allclose(hanging, tool - [0.0, 0.0, 0.55], atol=1e-9)
    assert hanging[2] > -PEDESTAL_HEIGHT + 0.2
    for _ in range(500):
        world.step(motion.ready, np.zeros(6))
    np.testing.assert_allclose(world.object_position, hanging, atol=1e-6)
    np.testing.assert_allclose(world.joint_positions, motion.ready, atol=1e-7)


def test_hidden_length_and_mass_are_those_of_the_rope():
    world = World(ROPE_SWING, UR5E_STICK, PHYSICS)
    masses = [world.model.body(f"rope_{i}").mass[0] for i in range(20)]
    assert sum(masses) == pytest.approx(0.55 * 0.06)


def test_segments_between_samples_are_exact_enough(monkeypatch):
    fine = rollout(ROPE_SWING, UR5E_STICK, PHYSICS, THETAS).trajectories
    goal = ROPE_SWING.default_goal
    monkeypatch.setattr(type(ROPE_SWING), "rest", ROPE_SWING.rest.never(0.002))
    finer = rollout(ROPE_SWING, UR5E_STICK, PHYSICS, THETAS).trajectories
    costs = [[ROPE_SWING.cost(ROPE_SWING.error(t, goal)) for t in ts] for ts in (fine, finer)]
    np.testing.assert_allclose(costs[0], costs[1], atol=0.001)


def test_the_rope_stays_in_its_plane():
    for trajectory in rollout(ROPE_SWING, UR5E_STICK, PHYSICS, THETAS[:4]).trajectories:
        assert np.ptp(trajectory.positions[:, 1]) < 0.002


def test_outcome_goal_is_met_by_the_outcome():
    trajectory = rollout(ROPE_SWING, UR5E_STICK, PHYSICS, THETAS[:1]).trajectories[0]
    goal = ROPE_SWING.outcome_goal(trajectory)
    assert ROPE_SWING.cost(ROPE_SWING.error(trajectory, goal)) < 1e-9


def test_swing_has_no_jumps_and_reaches_its_speed():
    deltas = np.zeros((1, 6))
    deltas[0, 1:3] = -2.0, -1.0
    swing = swings(UR5E_STICK, UR5E_STICK.home, deltas, np.array([2.5]), 10.0)[0]
    times = np.linspace(0.0, swing.duration, 2000)
    q, qd, qdd = swing.sample(times)
    np.testing.assert_allclose(q[-1] - q[0], deltas[0], atol=1e-12)
    assert not swing.velocities[[0, -1]].any()
    assert np.abs(qd).max() == pytest.approx(2.5, rel=1e-6)
    assert np.abs(qdd).max() == pytest.approx(0.5 * np.pi * 10.0, rel=0.01)
    assert np.abs(np.diff(qdd, axis=0)).max() < 0.5
    np.testing.assert_allclose(q[:, 2] - q[0, 2], 0.5 * (q[:, 1] - q[0, 1]), atol=1e-12)


def test_a_swing_too_short_for_its_speed_is_refused():
    with pytest.raises(MotionRefused, match=r"needs more than 0.9 rad"):
        swings(UR5E_STICK, UR5E_STICK.home, np.full((1, 6), 0.5), np.array([3.0]), 10.0)
