"""Proposals that the arm cannot execute are moved back to what it can."""

import numpy as np
import pytest

from icpi_ros.core.errors import Kind, Refusal
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Proposal
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.robots import ARMS
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.feasibility import (
    MAX_SAMPLES,
    Confinement,
    anything,
    feasibility_of,
    first_possible,
    moved_back,
)
from icpi_ros.tasks.slide import SLIDE

BOX = ParameterSpace((Parameter("a", "m", 0.0, 1.0, "x"), Parameter("b", "rad", 0.0, 10.0, "y")))


def slow_only(theta):
    if theta[0] <= 0.4:
        return None
    return Refusal(f"a = {theta[0]:.3g} is too fast", Kind.JOINT_LIMIT, "velocity", "elbow")


def test_what_can_be_executed_stays_as_it_is():
    theta = np.array([0.3, 9.0])
    moved, reason = moved_back(theta, [np.zeros(2)], slow_only)
    np.testing.assert_array_equal(moved, theta)
    assert reason is None


def test_the_rest_comes_back_to_the_edge_of_what_can_on_the_way_to_the_nearest():
    executed = [np.array([0.2, 0.0]), np.array([0.2, 8.0])]
    moved, reason = moved_back(np.array([1.0, 8.0]), executed, slow_only)
    np.testing.assert_allclose(moved, [0.4, 8.0], atol=1e-3)
    assert slow_only(moved) is None
    assert str(reason) == "a = 1 is too fast"


def test_an_executed_theta_that_is_not_possible_any_more_is_passed_over():
    executed = [np.array([0.2, 0.0]), np.array([0.9, 8.0])]
    moved, reason = moved_back(np.array([1.0, 8.0]), executed, slow_only)
    assert slow_only(moved) is None
    assert moved[0] > 0.39
    assert str(reason) == "a = 1 is too fast"


def test_where_nothing_helps_theta_stays_for_the_executor_to_refuse():
    theta = np.array([1.0, 0.0])
    moved, reason = moved_back(theta, [np.array([0.9, 0.0])], slow_only)
    np.testing.assert_array_equal(moved, theta)
    assert reason is None
    assert moved_back(theta, [], slow_only) == (pytest.approx(theta), None)


def test_the_first_attempt_is_the_first_draw_that_can_be_executed():
    draws = BOX.sample(np.random.default_rng(3), MAX_SAMPLES)
    first = first_possible(BOX, np.random.default_rng(3), slow_only)
    np.testing.assert_array_equal(first, draws[np.argmax(draws[:, 0] <= 0.4)])
    np.testing.assert_array_equal(first_possible(BOX, np.random.default_rng(3), anything), draws[0])
    np.testing.assert_array_equal(
        first_possible(BOX, np.random.default_rng(3), lambda theta: Refusal("never")), draws[0]
    )


def test_a_weaker_arm_reaches_less_and_says_why():
    fr3 = ARMS.get("fr3")
    strong = feasibility_of(SLIDE, UR5E, SafetyGate(UR5E))
    weak = feasibility_of(SLIDE, fr3, SafetyGate(fr3))
    fast = np.array([1.5, 0.1])
    assert strong(fast) is None
    assert weak(fast).kind is Kind.JOINT_LIMIT
    assert weak(fast).joint in fr3.joints
    slow = np.array([0.7, 0.0])
    assert weak(slow) is None
    moved, reason = moved_back(fast, [slow], weak)
    assert weak(moved) is None
    assert slow[0] < moved[0] < fast[0]
    assert reason == weak(fast)


def test_all_reasons_why_theta_was_moved_are_kept():
    confine = Confinement(StepLimit(BOX, 0.5), slow_only)
    executed = [np.array([0.3, 2.0])]
    found = confine.of(np.array([2.0, 9.0]), executed)
    outside, too_far, too_fast = found.reason.split("; ")
    assert outside == "theta a = 2 m is out of bounds: allowed 0 to 1 m"
    assert too_far.startswith("a = 1 m is too far from what this run has executed: allowed -0.2")
    assert too_fast.endswith("is too fast")
    kinds = [one.kind for one in found.refusals]
    assert kinds == [Kind.OUT_OF_BOUNDS, Kind.STEP, Kind.JOINT_LIMIT]
    assert [one.text for one in found.refusals] == found.reason.split("; ")
    assert found.moved
    assert (confine.of(executed[0], executed).moved, confine.of(executed[0], executed).reason) == (
        False,
        "",
    )


def test_a_trial_says_why_its_theta_was_moved_and_predicts_nothing_of_it():
    proposal = Proposal(np.array([2.0, 9.0]), "knn", predicted_cost=0.01, details={"calls": 1})
    found = Confinement(StepLimit(BOX, 1.0)).of(proposal.theta, [])
    trial = found.trial(3, proposal, 0.5)
    why = "theta a = 2 m is out of bounds: allowed 0 to 1 m"
    assert (trial.number, trial.projected, trial.best_cost) == (3, True, 0.5)
    assert (trial.moved_back, trial.note) == (why, f"moved back: {why}")
    assert np.isnan(trial.proposal.predicted_cost)
    assert trial.proposal.details["calls"] == 1
    np.testing.assert_array_equal(trial.proposal.theta, proposal.theta)
    inside = Proposal(np.array([0.5, 9.0]), "knn", predicted_cost=0.01)
    kept = Confinement(StepLimit(BOX, 1.0)).of(inside.theta, []).trial(3, inside, 0.5)
    assert (kept.projected, kept.moved_back, kept.note) == (False, "", "")
    assert kept.proposal.predicted_cost == 0.01
