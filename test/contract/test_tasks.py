"""Every registered task must pass these."""

import numpy as np
import pytest

from icpi_ros.arms.ur5e import UR5E
from icpi_ros.data.dataset import shipped
from icpi_ros.errors import InvalidValue, ObservationMissing
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS
from icpi_ros.types import ObjectTrajectory

pytestmark = pytest.mark.parametrize("name", TASKS.names())


def test_dimensions_fit_together(name):
    task = TASKS.get(name)
    assert task.name == name
    assert task.summary
    assert task.cost_mask.shape == (len(task.error_names),)
    assert all(p.unit and p.description for p in task.space.parameters)
    assert all(p.unit and p.description for p in task.physics_space.parameters)
    task.check_goal(task.default_goal)


def test_goal_out_of_reach_is_refused_with_the_region(name):
    task = TASKS.get(name)
    with pytest.raises(InvalidValue, match=r"goal .* allowed"):
        task.check_goal(task.goal_space.upper + 1.0)


def test_every_theta_in_the_box_gives_a_motion_that_passes_the_gate(name):
    task, gate = TASKS.get(name), SafetyGate(UR5E)
    corners = np.stack(np.meshgrid(*zip(task.space.lower, task.space.upper, strict=True)), -1)
    inner = task.space.sample(np.random.default_rng(0), 30)
    for theta in np.concatenate([corners.reshape(-1, task.space.dim), inner]):
        motion = task.motion(theta, UR5E)
        gate.check(motion.stroke, motion.start)
        assert not motion.stroke.velocities[-1].any()


def test_rollouts_are_deterministic_and_observed(name):
    task, rng = TASKS.get(name), np.random.default_rng(1)
    physics, thetas = task.sample_physics(rng), task.space.sample(rng, 3)
    first = rollout(task, UR5E, physics, thetas)
    second = rollout(task, UR5E, physics, thetas, threads=2)
    for a, b in zip(first.trajectories, second.trajectories, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        error = task.error(a, task.default_goal)
        assert error.shape == task.cost_mask.shape
        assert np.isfinite(error).all()
        assert task.cost(error) >= 0.0


def test_a_trajectory_that_shows_nothing_is_not_guessed(name):
    task = TASKS.get(name)
    unseen = ObjectTrajectory(np.array([0.0, 0.1]), np.full((2, 3), np.nan))
    empty = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    for trajectory in (unseen, empty):
        with pytest.raises(ObservationMissing):
            task.error(trajectory, task.default_goal)


def test_shipped_examples_belong_to_the_task_and_solve_it(name):
    task = TASKS.get(name)
    dataset = shipped(task)
    assert len(dataset) == 300
    assert np.nanmean(dataset.label_cost) < 0.002
    assert len(np.unique(dataset.group)) > 1
