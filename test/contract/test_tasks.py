"""Every registered task must pass these; what each checks stands in icpi_ros/testing/tasks.py."""

from dataclasses import replace

import numpy as np
import pytest

from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS
from icpi_ros.testing import arms, tasks

pytestmark = pytest.mark.parametrize("name", TASKS.built_in)


def test_dimensions_fit_together(name):
    assert TASKS.get(name).name == name
    tasks.dimensions_fit_together(TASKS.get(name))


def test_definition_names_all_that_a_data_set_depends_on(name):
    tasks.definition_is_complete(TASKS.get(name))
    hashes = {TASKS.get(other).definition_hash() for other in TASKS.built_in}
    assert len(hashes) == len(TASKS.built_in)


def test_goal_out_of_reach_is_refused_with_the_region(name):
    tasks.goal_out_of_reach_is_refused(TASKS.get(name))


def test_goals_are_drawn_from_the_region_or_fixed(name):
    tasks.goals_are_drawn_from_the_region_or_fixed(TASKS.get(name))


def test_shifted_physics_lie_outside_the_data_and_simulate(name):
    tasks.shifted_physics_lie_outside_the_data_and_simulate(TASKS.get(name))


def test_every_theta_in_the_box_gives_a_motion_that_passes_the_gate(name):
    tasks.every_theta_passes_the_gate(TASKS.get(name))


def test_the_arm_has_real_limits(name):
    arms.limits_are_real(ARMS.get(TASKS.get(name).arm))


def test_rollouts_are_deterministic_and_observed(name):
    tasks.rollouts_are_deterministic_and_observed(TASKS.get(name))


def test_the_window_ends_at_rest_or_at_its_fixed_end(name):
    tasks.the_window_ends_at_rest_or_at_its_fixed_end(TASKS.get(name))


def test_raw_form_is_state_and_goal(name):
    tasks.raw_form_is_state_and_goal(TASKS.get(name))


def test_a_trajectory_that_shows_nothing_is_not_guessed(name):
    tasks.what_was_not_seen_is_not_guessed(TASKS.get(name))


@pytest.mark.slow
def test_goals_can_be_reached_and_need_adapting_to(name):
    plan = replace(tasks.PLAN, samples=16, local=4)
    tasks.goals_can_be_reached_and_need_adapting_to(TASKS.get(name), 0.05, plan)


def test_shipped_examples_belong_to_the_task_and_solve_it(name):
    task = TASKS.get(name)
    dataset = shipped(task)
    assert len(dataset) == 300
    assert np.nanmean(dataset.label_cost) < 0.002
    assert len(np.unique(dataset.group)) > 1
