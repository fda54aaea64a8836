"""Embedded without a data set, or with a few examples: learnt from the run's own trials."""

from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.core.errors import DatasetError
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Outcome
from icpi_ros.improvers import embedded
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.planning import SIDESTEP, off_the_line
from icpi_ros.learn.outcome.run_model import KernelObjective, RunRows


def examples(count, draws=1):
    """Examples of the closed-form slide, ``count`` of them."""
    data = toy.dataset(seed=4, draws=draws, size=max(count, draws))
    names = ("theta", "error", "dtheta", "goal", "cost", "label_cost", "group")
    return replace(data, **{name: getattr(data, name)[:count] for name in names})


def propose(data, history, seed=3):
    return Embedded(toy.context(data)).propose(history, np.random.default_rng(seed))


def trials(count, seed=5):
    rng = np.random.default_rng(seed)
    return [toy.outcome(theta, (0.2, 0.8)) for theta in toy.SPACE.sample(rng, count)]


def test_gradient_of_the_fit_is_right():
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1, -1], 4)
    rows = RunRows(
        rng.uniform(-1, 1, (12, 3)),
        rng.standard_normal((12, 2)),
        (group[:, np.newaxis] == group).astype(float),
        np.where(np.arange(12) % 5 == 0, 0.1, 0.0),
        theta_dim=2,
        trials=4,
    )
    objective = KernelObjective(rows)
    at = objective.mean + 0.3 * rng.standard_normal(len(objective.mean))
    from scipy.optimize import check_grad  # here: not every worker needs it

    error = check_grad(lambda x: objective(x)[0], lambda x: objective(x)[1], at, epsilon=1e-6)
    assert error < 1e-4 * np.linalg.norm(objective(at)[1])


@pytest.mark.parametrize(
    ("count", "draws", "limit"), [(0, 1, 0.004), (1, 1, 0.004), (19, 2, 0.002)]
)
def test_five_tries_reach_the_goal(count, draws, limit):
    costs = toy.best_costs(Embedded(toy.context(examples(count, draws))), 8, 5, seed=6)
    assert np.mean(costs[:, 5]) < limit


@pytest.mark.parametrize("count", [0, 1, 19])
def test_same_history_and_generator_give_the_same_proposal(count):
    data, history = examples(count), trials(4)
    first = propose(data, history)
    improver = Embedded(toy.context(data))
    improver.propose(history[1:], np.random.default_rng(9))
    again = improver.propose(history, np.random.default_rng(3))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert (first.predicted_cost, first.details) == (again.predicted_cost, again.details)


@pytest.mark.parametrize("count", [0, 5])
def test_trials_of_the_same_theta_do_no_harm(count):
    same = [trials(1)[0]] * 6
    proposal = propose(examples(count), same)
    assert np.isfinite([*proposal.theta, proposal.predicted_cost, proposal.predicted_std]).all()


def test_eight_parameters():
    space = ParameterSpace(tuple(Parameter(f"p{i}", "1", -1.0, 1.0) for i in range(8)))
    rng = np.random.default_rng(1)
    slopes, start = rng.standard_normal((8, 2)), np.array([0.8, -0.5])
    nothing = Dataset("toy", *(np.empty((0, n)) for n in (8, 2, 8, 2)), *[np.empty(0)] * 3)
    improver = Embedded(Context(space, toy.GOAL, toy.MASK, nothing, {}))
    history, theta = [], space.sample(rng)
    for n in range(13):
        error = start + theta @ slopes + 0.1 * theta[0] * theta[1]
        history.append(Outcome(theta, error, float(np.linalg.norm(error))))
        theta = space.project(improver.propose(history, np.random.default_rng(n)).theta)[0]
    assert min(trial.cost for trial in history) < 0.02


def test_noise_is_not_chased():
    costs = []
    for seed in range(12):
        rng = np.random.default_rng([3, seed])
        physics = toy.PHYSICS.sample(rng)
        history = toy.run(Embedded(toy.context(examples(0))), physics, rng, 6, noise=0.003)
        best = min(history, key=lambda trial: trial.cost)
        costs.append(toy.outcome(best.theta, physics).cost)
    assert np.mean(costs) < 0.006


def test_belief_comes_from_the_run_alone_or_from_both():
    history = trials(1)
    assert propose(examples(0), history).details["belief_from_data"] == 0.0
    few = propose(examples(5), history).details["belief_from_data"]
    many = propose(examples(19), history).details["belief_from_data"]
    assert 0.2 < few <= many <= 1.0


def test_examples_of_another_goal_are_moved_to_the_run_s():
    goal = toy.GOAL + np.array([0.05, 0.04])
    data = examples(10, 1)
    context = replace(toy.context(data), goal=goal)
    costs = toy.best_costs(Embedded(context), 6, 4, seed=6, goal=goal)
    assert np.mean(costs[:, 4]) < 0.004


def test_examples_that_are_not_finite_are_refused():
    data = examples(5)
    data.error[2, 0] = np.nan
    with pytest.raises(DatasetError, match="not finite"):
        Embedded(toy.context(data))


def four_parameters():
    """Improver of four parameters of which the first two decide the toy's error."""
    more = tuple(Parameter(f"more_{i}", "1", -1.0, 1.0) for i in range(2))
    space = ParameterSpace((*toy.SPACE.parameters, *more))
    nothing = Dataset("toy", *(np.empty((0, n)) for n in (4, 2, 4, 2)), *[np.empty(0)] * 3)
    return Embedded(Context(space, toy.GOAL, toy.MASK, nothing))


def tried(thetas, cost=0.3):
    errors = [np.array([cost, 0.1 * i]) for i in range(len(thetas))]
    return [
        Outcome(np.array(theta), error, float(np.linalg.norm(error)))
        for theta, error in zip(thetas, errors, strict=True)
    ]


def test_the_second_trial_leaves_the_line_through_the_first():
    rng = np.random.default_rng(0)
    first, scaled = np.zeros(3), np.array([0.5, 0.0, 0.0])
    for _ in range(20):
        moved = off_the_line(scaled, first, rng)
        assert np.linalg.norm(moved - scaled) == pytest.approx(SIDESTEP)
        assert (moved - scaled) @ (scaled - first) == pytest.approx(0.0, abs=1e-12)
    corner = np.array([1.0, 1.0])
    assert np.abs(off_the_line(corner, np.array([0.0, 1.0]), rng)).max() <= 1.0
    np.testing.assert_array_equal(off_the_line(np.array([0.3]), np.zeros(1), rng), [0.3])


def test_the_last_parameters_wait_until_the_first_are_learnt():
    improver, rng = four_parameters(), np.random.default_rng(1)
    thetas = improver.context.space.sample(rng, 6)
    few = improver.propose(tried(thetas[:3]), np.random.default_rng(3)).theta
    np.testing.assert_allclose(few[2:], thetas[0, 2:])
    assert np.abs(few[:2] - thetas[0, :2]).max() > 1e-3
    many = improver.propose(tried(thetas), np.random.default_rng(3)).theta
    assert np.abs(many[2:] - thetas[0, 2:]).max() > 1e-3


def test_a_run_that_is_stuck_far_from_the_goal_looks_where_none_was():
    thetas = [(1.0, 0.0), (1.02, 0.01), (0.98, -0.01), (1.01, 0.02)]
    history = tried(thetas)
    scaled = toy.SPACE.normalise(np.array(thetas))
    found = toy.SPACE.normalise(propose(examples(0), history).theta)
    assert np.linalg.norm(scaled - found, axis=1).min() > 1.0


def test_a_run_that_has_nearly_arrived_stays_near():
    thetas = [(0.7, 0.3), (1.0, 0.0), (1.02, 0.01), (0.98, -0.01), (1.01, 0.02)]
    errors = [(0.4, 0.3), (0.004, 0.003), (0.006, 0.0), (0.0, 0.007), (0.005, 0.004)]
    history = [
        Outcome(np.array(theta), np.array(error), float(np.linalg.norm(error)))
        for theta, error in zip(thetas, errors, strict=True)
    ]
    found = toy.SPACE.normalise(propose(examples(0), history).theta)
    assert np.linalg.norm(found - toy.SPACE.normalise(np.array(thetas[1]))) < 0.3


def test_a_look_elsewhere_is_on_record(monkeypatch):
    """Every second trial of a run that is stuck, and no other."""
    monkeypatch.setattr(embedded, "FAR", 0.0)
    history = trials(1) + [replace(one, cost=9.0) for one in trials(embedded.STUCK + 2)[1:]]
    told = [
        propose(examples(0), history[: n + 1]).details.get("looks_elsewhere")
        for n in range(1, embedded.STUCK + 2)
    ]
    assert told == [None] * (embedded.STUCK - 1) + [embedded.STUCK, None]
