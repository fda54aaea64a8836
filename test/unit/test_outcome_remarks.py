"""Remarks of `embedded` on a run's trials: dead parameters, noise above the error that is left."""

from dataclasses import replace

import numpy as np
import pytest

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Outcome, Proposal, Trial, TrialStatus
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.report.run.remarks import belief_lines, remark_lines

NAMES = ("speed", "heading", "spare")


def curved(theta):
    """Errors that speed and heading change, and nothing else."""
    speed, heading = theta[:2]
    return np.array([0.2 + 0.25 * np.sin(1.3 * speed), 0.2 * heading * (1 + 0.3 * speed) - 0.06])


def stepped(theta):
    """Errors that heading changes in the upper third of its range only."""
    speed, heading = theta[:2]
    return np.array([0.2 + 0.3 * speed, 0.1 - 0.6 * max(heading - 0.35, 0.0) + 0.05 * speed**2])


def weak(theta):
    """Errors that heading changes by a twentieth of what speed does."""
    speed, heading = theta[:2]
    return np.array([0.2 + 0.3 * speed, 0.1 * speed**2 + 0.02 * heading - 0.05])


def improver(dim):
    space = ParameterSpace(tuple(Parameter(name, "1", -1.0, 1.0) for name in NAMES[:dim]))
    nothing = Dataset("toy", *(np.empty((0, n)) for n in (dim, 2, dim, 2)), *[np.empty(0)] * 3)
    return Embedded(Context(space, np.zeros(2), np.ones(2), nothing, {}))


def trials_of(thetas, problem):
    errors = [problem(theta) for theta in thetas]
    pairs = zip(thetas, errors, strict=True)
    return [Outcome(theta, error, float(np.linalg.norm(error))) for theta, error in pairs]


def details(problem, dim, count, noise=0.0, seed=0):
    """Details of the proposals of a run, by number of trials before."""
    own, rng = improver(dim), np.random.default_rng([seed, 7])
    space, history, found = own.context.space, [], {}
    theta = space.sample(rng)
    for n in range(1, count + 1):
        error = problem(theta) + noise * rng.standard_normal(2)
        history.append(Outcome(theta, error, float(np.linalg.norm(error))))
        proposal = own.propose(history, np.random.default_rng(n))
        theta, found[n] = space.project(proposal.theta)[0], proposal.details
    return found


def spread(problem, dim, count, noise=0.0, seed=0):
    """Trials all over the box."""
    rng = np.random.default_rng([seed, count])
    thetas = rng.uniform(-1.0, 1.0, (count, dim))
    return trials_of(thetas, lambda theta: problem(theta) + noise * rng.standard_normal(2))


def no_effect(history):
    own = improver(len(history[0].theta))
    return own.propose(history, np.random.default_rng(0)).details.get("no_effect", [])


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_a_dead_parameter_is_found(noise):
    for seed in range(3):
        history = spread(curved, 3, 10, noise, seed)
        assert no_effect(history) == ["spare"]
        assert no_effect(history[:5]) == []


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize("problem", [curved, weak, stepped])
def test_a_live_parameter_is_not(problem, noise):
    for seed in range(3):
        found = details(problem, 2, 7, noise, seed)
        assert not any("no_effect" in each for each in found.values())


@pytest.mark.parametrize("problem", [curved, weak])
def test_a_live_parameter_is_not_named_with_a_dead_one(problem):
    for seed in range(3):
        assert "heading" not in no_effect(spread(problem, 3, 10, 0.003, seed))


def test_nothing_is_said_where_all_trials_lie_in_a_flat_region():
    thetas = np.random.default_rng(3).uniform(-1.0, 1.0, (8, 2))
    assert no_effect(trials_of(thetas, lambda _: np.array([0.3, -0.1]))) == []


def test_nothing_is_said_of_a_part_of_the_range():
    rng = np.random.default_rng(3)
    whole = rng.uniform(-1.0, 1.0, (8, 2))
    below = whole * [1.0, 0.5] - [0.0, 0.5]  # heading changes nothing there, and much above
    assert no_effect(trials_of(below, stepped)) == []
    assert no_effect(trials_of(whole, lambda theta: curved([theta[0], 0.2]))) == ["heading"]


def test_noise_above_the_error_that_is_left_is_said():
    found = [details(curved, 2, 10, 0.01, seed) for seed in range(3)]
    said = [each["noise"] for one in found for each in one.values() if "noise" in each]
    assert said
    assert all(0.004 < value < 0.04 for value in said)


def test_no_noise_is_said_where_there_is_none():
    assert not any("noise" in each for each in details(curved, 2, 10).values())


def trial(number, cost, **known):
    theta = np.zeros(2)
    proposal = Proposal(theta, "embedded", details=known)
    return Trial(number, theta, proposal, status=TrialStatus.DONE, cost=cost, best_cost=cost)


def test_lines_of_a_report():
    first = trial(0, 0.2)
    assert (belief_lines([first]), remark_lines([first])) == ([], [])
    early = trial(1, 0.1, belief_from_data=0.9, no_effect=["speed"])
    last = trial(2, 0.003, belief_from_data=0.25, no_effect=["heading"], noise=0.0042)
    assert belief_lines([first, early, last]) == [
        "belief behind the proposal of trial 2: 25 % from the data set, 75 % from the run's own "
        "trials"
    ]
    assert remark_lines([first, early, last]) == [
        "heading changed nothing in 2 trials: leave it out, or check that the motion uses it",
        "the deviation between trials that no parameter explains, about 4.20 mm, is larger than "
        "the 3.00 mm that are left",
    ]
    assert len(remark_lines([first, early, replace(last, cost=0.005), trial(3, 0.006)])) == 1
