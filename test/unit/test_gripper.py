"""The gripper of a scene: it holds the ball at the tool, and lets go when it is told to."""

import numpy as np
import pytest

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.slide import SLIDE
from icpi_ros.tasks.toss import TOSS_GC, landing

PHYSICS = np.array([0.3, 0.02, 1.0])
THETA = np.array([1.4, 0.1, -0.02])
GRASP = np.array([0.0, 0.0, 0.04])


def hand(world):
    position, rotation = UR5E.tool_pose(world.joint_positions)
    return position + rotation @ GRASP


def throw(world, order=None):
    """Execute THETA step by step; return the ball's path and its distances from the hand."""
    motion = TOSS_GC.motion(THETA, UR5E)
    world.reset(motion.start)
    world.open_gripper(motion.release) if order is None else order(world)
    period, path, apart = round(TOSS_GC.rest.period / world.dt), [], []
    for step in range(round(TOSS_GC.max_duration / world.dt) + 1):
        if step % period == 0:
            path.append(world.object_position)
            apart.append(float(np.linalg.norm(path[-1] - hand(world))))
        q, qd, _ = motion.trajectory.sample(np.array([step * world.dt]))
        world.step(q[0], qd[0])
    return np.array(path), np.array(apart)


def test_the_ball_is_held_until_the_release_and_its_latency_then_flies():
    world = World(TOSS_GC, UR5E, PHYSICS)
    path, apart = throw(world)
    opened = TOSS_GC.motion(THETA, UR5E).release + PHYSICS[1]
    times = TOSS_GC.rest.period * np.arange(len(path))
    assert apart[times <= opened].max() < 0.005
    assert apart[times >= opened + 0.2].min() > 0.1
    assert not world.gripped
    assert path[-1][2] == pytest.approx(-0.72, abs=0.005)  # it lies on the floor


def test_a_rollout_throws_as_the_steps_of_a_world_do():
    path, _ = throw(World(TOSS_GC, UR5E, PHYSICS))
    one = rollout(TOSS_GC, UR5E, PHYSICS, THETA[np.newaxis]).trajectories[0]
    np.testing.assert_allclose(one.positions, path, atol=1e-9)


def test_an_order_that_is_taken_back_lets_nothing_go():
    def there_and_back(world):
        world.open_gripper(0.3)
        world.close_gripper()

    world = World(TOSS_GC, UR5E, PHYSICS)
    _, apart = throw(world, there_and_back)
    assert world.gripped
    assert apart.max() < 0.005


def test_what_was_let_go_is_not_caught_again_until_it_is_put_back():
    world = World(TOSS_GC, UR5E, PHYSICS)
    throw(world)
    world.close_gripper()
    assert not world.gripped
    world.reset_object()
    assert world.gripped
    np.testing.assert_allclose(world.object_position, hand(world), atol=1e-12)


def test_an_order_that_is_late_opens_by_the_latency_from_now():
    world = World(TOSS_GC, UR5E, PHYSICS)
    q = world.joint_positions
    for _ in range(50):
        world.step(q, np.zeros(6))
    world.open_gripper(0.0)
    begin = world.time
    while world.gripped:
        world.step(q, np.zeros(6))
    assert world.time - begin == pytest.approx(PHYSICS[1], abs=1.01 * world.dt)


def test_the_landing_depends_smoothly_on_the_release():
    thetas = np.tile(THETA, (41, 1))
    thetas[:, 2] = np.linspace(-0.02, -0.01, 41)  # steps of an eighth of the simulation's
    landings = [
        TOSS_GC.outcome_goal(trajectory)
        for trajectory in rollout(TOSS_GC, UR5E, PHYSICS, thetas).trajectories
    ]
    steps = np.diff([y for _, y in landings])
    assert (steps > 0.0).all()
    assert steps.max() < 3.0 * steps.mean()


def test_a_scene_without_a_gripper_holds_nothing():
    world = World(SLIDE, UR5E, SLIDE.seeded_physics(0))
    world.open_gripper(0.0)
    assert not world.gripped
    q = world.joint_positions
    assert np.array_equal(world.command(q, q, 0.0), world.command(q, q))


def test_the_landing_is_the_first_passing_downwards():
    z = np.array([1.0, 2.0, 0.5, -0.5, -1.0, 1.0, -1.0])
    path = np.column_stack([np.arange(7.0), -np.arange(7.0), z])
    times = 0.1 * np.arange(7)
    np.testing.assert_allclose(landing(ObjectTrajectory(times, path), 0.0), [2.5, -2.5])
    for missing in (2, 3):
        seen = path.copy()
        seen[missing] = np.nan
        with pytest.raises(ObservationMissing, match="just before and after"):
            landing(ObjectTrajectory(times, seen), 0.0)
    with pytest.raises(ObservationMissing):
        landing(ObjectTrajectory(times, path + 3.0), 0.0)
