"""Every registered task must pass these."""

import json
from itertools import product

import numpy as np
import pytest

from icpi_ros.arms import ARMS
from icpi_ros.data.dataset import shipped
from icpi_ros.errors import InvalidValue, ObservationMissing
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.offline.survey import SurveyPlan, survey
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS
from icpi_ros.types import ObjectTrajectory

pytestmark = pytest.mark.parametrize("name", TASKS.names())


def task_and_arm(name):
    task = TASKS.get(name)
    return task, ARMS.get(task.arm)


def corners(space):
    return np.array(list(product(*zip(space.lower, space.upper, strict=True))))


def test_dimensions_fit_together(name):
    task = TASKS.get(name)
    assert task.name == name
    assert task.summary
    assert task.cost_mask.shape == (len(task.error_names),)
    for space in (task.space, task.goal_space, task.physics_space, task.shifted_space):
        assert all(p.unit and p.description for p in space.parameters)
    assert task.shifted_space.names == task.physics_space.names
    task.check_goal(task.default_goal)


def test_definition_names_all_that_a_data_set_depends_on(name):
    definition = TASKS.get(name).definition()
    wanted = {"name", "revision", "arm", "theta", "goal", "default_goal", "goal_varies"}
    wanted |= {"physics", "error", "cost_mask", "rest", "max_duration"}
    assert set(definition) == wanted
    assert json.loads(json.dumps(definition)) == definition
    hashes = {TASKS.get(other).definition_hash() for other in TASKS}
    assert len(hashes) == len(TASKS.names())


def test_goal_out_of_reach_is_refused_with_the_region(name):
    task = TASKS.get(name)
    with pytest.raises(InvalidValue, match=r"goal .* allowed"):
        task.check_goal(task.goal_space.upper + 1.0)


def test_goals_are_drawn_from_the_region_or_fixed(name):
    task, rng = TASKS.get(name), np.random.default_rng(2)
    goals = np.array([task.sample_goal(rng) for _ in range(50)])
    for goal in goals:
        task.check_goal(goal)
    if task.goal_varies:
        extent = np.ptp(goals, axis=0) / np.ptp([task.goal_space.lower, task.goal_space.upper], 0)
        assert (extent > 0.8).all()
    else:
        assert (goals == task.default_goal).all()


def test_shifted_physics_lie_outside_the_data_and_simulate(name):
    task, arm = task_and_arm(name)
    rng = np.random.default_rng(3)
    draws = np.array([task.sample_shifted(rng) for _ in range(50)])
    for physics in draws:
        assert task.shifted_space.contains(physics)
        assert not task.physics_space.contains(physics)
    for physics in draws[:3]:
        for trajectory in rollout(task, arm, physics, task.space.sample(rng, 2)).trajectories:
            assert np.isfinite(trajectory.positions).all()


def test_every_theta_in_the_box_gives_a_motion_that_passes_the_gate(name):
    task, arm = task_and_arm(name)
    gate = SafetyGate(arm)
    inner = task.space.sample(np.random.default_rng(0), 30)
    for theta in np.concatenate([corners(task.space), inner]):
        motion = task.motion(theta, arm)
        gate.check(motion.stroke, motion.start)
        assert not motion.stroke.velocities[-1].any()


def test_the_arm_has_real_limits(name):
    _, arm = task_and_arm(name)
    limits = arm.limits
    for low, high in (
        (limits.lower, limits.upper),
        (limits.workspace_lower, limits.workspace_upper),
    ):
        assert np.isfinite([low, high]).all()
        assert (low < high).all()
    assert (limits.workspace_upper - limits.workspace_lower).max() < 3.0
    assert ((arm.home > limits.lower) & (arm.home < limits.upper)).all()


def test_rollouts_are_deterministic_and_observed(name):
    task, arm = task_and_arm(name)
    rng = np.random.default_rng(1)
    physics, thetas = task.sample_physics(rng), task.space.sample(rng, 3)
    first = rollout(task, arm, physics, thetas)
    second = rollout(task, arm, physics, thetas, threads=2)
    for a, b in zip(first.trajectories, second.trajectories, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_allclose(np.diff(a.times), task.rest.period)
        assert a.times[-1] <= task.max_duration + 1e-9
        error = task.error(a, task.default_goal)
        assert error.shape == task.cost_mask.shape
        assert np.isfinite(error).all()
        assert task.cost(error) >= 0.0


def test_the_window_ends_at_rest_or_at_its_fixed_end(name):
    task, arm = task_and_arm(name)
    rng = np.random.default_rng(4)
    outcome = rollout(task, arm, task.sample_physics(rng), task.space.sample(rng, 6))
    if task.rest.speed > 0.0:
        assert outcome.rested.all()
    else:
        assert not outcome.rested.any()
        ends = [trajectory.times[-1] for trajectory in outcome.trajectories]
        np.testing.assert_allclose(ends, task.max_duration)


def test_raw_form_is_state_and_goal(name):
    task, arm = task_and_arm(name)
    rng = np.random.default_rng(5)
    goal, thetas = task.sample_goal(rng), task.space.sample(rng, 1)
    trajectory = rollout(task, arm, task.sample_physics(rng), thetas).trajectories[0]
    raw, error = task.raw(trajectory, goal), task.error(trajectory, goal)
    assert raw.shape == (len(task.raw_names),)
    assert np.isfinite(raw).all()
    np.testing.assert_array_equal(raw[-len(goal) :], goal)
    counted = np.flatnonzero(task.cost_mask)
    np.testing.assert_allclose(raw[counted] - goal, error[counted], atol=1e-12)


def test_a_trajectory_that_shows_nothing_is_not_guessed(name):
    task = TASKS.get(name)
    unseen = ObjectTrajectory(np.array([0.0, 0.1]), np.full((2, 3), np.nan))
    empty = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    for trajectory in (unseen, empty):
        with pytest.raises(ObservationMissing):
            task.error(trajectory, task.default_goal)
        with pytest.raises(ObservationMissing):
            task.raw(trajectory, task.default_goal)


@pytest.mark.slow
def test_goals_can_be_reached_and_need_adapting_to(name):
    task, arm = task_and_arm(name)
    found = survey(task, arm, SurveyPlan(draws=2, samples=64, line=9, seed=1, threads=2))
    assert found.best_cost.max() < 0.005
    assert found.other_cost.mean() > 10.0 * found.best_cost.mean()
    assert found.first_cost.mean() > 0.05
    assert np.median(found.noise) < 0.003


def test_shipped_examples_belong_to_the_task_and_solve_it(name):
    task = TASKS.get(name)
    dataset = shipped(task)
    assert len(dataset) == 300
    assert np.nanmean(dataset.label_cost) < 0.002
    assert len(np.unique(dataset.group)) > 1
