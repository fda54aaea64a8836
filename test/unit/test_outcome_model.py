"""The in-context outcome model, its fit, and what a run's trials add; on closed-form slides."""

from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.core.types import Outcome
from icpi_ros.improvers.base import best
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.outcome.fitting import fit as outcome_fit
from icpi_ros.learn.outcome.fitting import rows as outcome_rows
from icpi_ros.learn.outcome.model import LATENT_DIM, outcome_model
from icpi_ros.learn.outcome.posterior import Posterior

pytestmark = pytest.mark.slow

UNSEEN = np.array([0.17, 0.9])


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


@pytest.fixture(scope="module")
def model(data):
    return outcome_model(data, toy.SPACE, toy.MASK)


def posterior(model, count, goal=toy.GOAL, physics=UNSEEN, seed=1):
    thetas = toy.SPACE.sample(np.random.default_rng(seed), count)
    errors = toy.endpoint(thetas, physics) - goal
    return Posterior.of(model, toy.SPACE.normalise(thetas), errors, goal)


def predicted(model, found, thetas, goal=toy.GOAL):
    """Error [m] and its standard deviation [m], each (n, 2)."""
    scaled = toy.SPACE.normalise(thetas)
    mean, variance = found.predict(scaled, model.predict(model.inputs(scaled, goal)))
    return (mean + model.offset(goal)) * model.unit, np.sqrt(variance) * model.unit


def test_gradient_of_the_fit_is_right():
    rng = np.random.default_rng(2)
    rows = outcome_fit.Rows(
        rng.uniform(-1, 1, (24, 3)),
        rng.standard_normal((24, 2)),
        np.repeat(np.arange(4), 6),
        np.arange(24) % 5 == 0,
        theta_dim=2,
    )
    from scipy.optimize import check_grad

    objective = outcome_fit._Objective(rows, latent_dim=2)
    at = 0.3 * rng.standard_normal(3 + 6 + 8)
    slope = objective(at)[1]
    error = check_grad(lambda x: objective(x)[0], lambda x: objective(x)[1], at, epsilon=1e-6)
    assert error < 1e-4 * np.linalg.norm(slope)


@pytest.mark.parametrize(("trials", "limit"), [(1, 0.006), (2, 0.002), (4, 0.001)])
def test_few_trials_tell_all_other_outcomes(model, trials, limit):
    thetas = toy.SPACE.sample(np.random.default_rng(5), 200)
    errors = []
    for seed in range(8):
        physics = toy.PHYSICS.sample(np.random.default_rng([9, seed]))
        mean, _ = predicted(model, posterior(model, trials, physics=physics, seed=seed), thetas)
        errors.append(np.linalg.norm(mean + toy.GOAL - toy.endpoint(thetas, physics), axis=1))
    assert np.median(errors) < limit


def test_doubt_is_honest_and_shrinks(model):
    thetas = toy.SPACE.sample(np.random.default_rng(5), 200)
    truth = toy.endpoint(thetas, UNSEEN) - toy.GOAL
    spread = []
    for trials in (1, 2, 6):
        mean, std = predicted(model, posterior(model, trials), thetas)
        spread.append(std.mean())
        assert np.mean(np.abs(mean - truth) < 3.0 * std) > 0.9
    assert spread[0] > spread[1] > spread[2]


def test_trials_are_met(model):
    found = posterior(model, 5)
    thetas = toy.SPACE.denormalise(found.thetas)
    mean, std = predicted(model, found, thetas)
    truth = toy.endpoint(thetas, UNSEEN) - toy.GOAL
    assert np.abs(mean - truth).max() < 0.002
    assert std.max() < 0.002


def test_other_goal_than_the_data_sets(data):
    goal = np.add(toy.GOAL, [0.04, -0.05])
    context = replace(toy.context(data), goal=goal)
    history = toy.run(Embedded(context), UNSEEN, np.random.default_rng(3), 2, goal=goal)
    assert best(history).cost < 0.003


def test_error_dimension_that_does_not_count_is_ignored(data):
    junk = np.random.default_rng(1).standard_normal((len(data), 1))
    wide = replace(data, error=np.hstack([data.error, 100.0 * junk]))
    mask = np.array([1.0, 1.0, 0.0])
    one, other = outcome_model(wide, toy.SPACE, mask), outcome_model(data, toy.SPACE, toy.MASK)
    at = toy.SPACE.normalise(data.theta[:5])
    np.testing.assert_allclose(one.predict(at)[0], other.predict(at)[0], atol=1e-6)


def test_costs_come_out_in_the_weights_of_the_mask(data):
    model = outcome_model(data, toy.SPACE, np.array([1.0, 2.0]))
    rms = np.sqrt(np.mean(data.error**2, axis=0))
    np.testing.assert_allclose(model.unit, [rms[0], 2.0 * rms[1]])


def test_labels_that_nobody_measured_are_doubted(data):
    rng = np.random.default_rng(4)
    noisy = data.dtheta + 0.4 * toy.SPACE.half_range * rng.standard_normal(data.dtheta.shape)
    unsure = replace(data, dtheta=noisy, label_cost=np.full(len(data), np.nan))
    costs = toy.best_costs(Embedded(toy.context(unsure)), 16, 3, seed=6)
    assert costs[:, 2].mean() < 0.005


@pytest.mark.parametrize(("draws", "size"), [(20, 200), (10, 3000)])
def test_large_data_sets_are_thinned_but_keep_their_variety(draws, size, monkeypatch):
    monkeypatch.setattr(outcome_rows, "MAX_ROWS", 120)  # a fit takes time cubic in the rows
    large = toy.dataset(draws=draws, size=size)
    model = outcome_model(large, toy.SPACE, toy.MASK)
    assert len(model.process.centres) == 120
    costs = toy.best_costs(Embedded(toy.context(large)), 16, 2, seed=6)
    assert costs[:, 2].mean() < 0.003


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_few_draws_still_help_a_run_of_the_same_physics(draws):
    """A robot's own trials, relabelled, are data of one draw."""
    few = toy.dataset(draws=draws, size=60)
    physics = toy.PHYSICS.sample(np.random.default_rng(0))  # the first draw of the data set
    improver, costs = Embedded(toy.context(few)), []
    for seed in range(12):
        history = toy.run(improver, physics, np.random.default_rng([7, seed]), 3)
        costs.append(best(history).cost)
    assert np.mean(costs) < 0.003
    assert improver._model.predict(np.zeros((1, 2)))[1].shape == (1, 2, min(draws - 1, LATENT_DIM))


def test_few_draws_still_help_a_run_of_other_physics():
    few = toy.dataset(draws=1, size=60)
    costs = toy.best_costs(Embedded(toy.context(few)), 24, 5, seed=8)
    assert costs[:, 5].mean() < 0.05 * costs[:, 0].mean()


@pytest.mark.parametrize("jitter", [0.0, 1e-12, 1e-3])
def test_goals_that_hardly_vary_count_as_one(jitter):
    """Other goal than the data set's, whose goals differ by rounding or measurement."""
    data = toy.dataset(draws=15, size=150)
    moved = jitter * np.random.default_rng(1).standard_normal(data.goal.shape)
    near = replace(data, goal=data.goal + moved, error=data.error - moved)
    goal = np.add(toy.GOAL, [0.04, -0.05])
    improver = Embedded(replace(toy.context(near), goal=goal))
    costs = toy.best_costs(improver, 12, 2, seed=5, goal=goal)
    assert costs[:, 2].mean() < 0.004


def test_goal_that_varies_in_one_coordinate_only():
    rng = np.random.default_rng(3)
    data = toy.dataset(draws=15, size=150)
    shift = np.column_stack([rng.uniform(-0.1, 0.1, len(data)), np.zeros(len(data))])
    varied = replace(data, goal=data.goal + shift, error=data.error - shift)
    unknown = replace(varied, label_cost=np.full(len(data), np.nan), dtheta=0.0 * data.dtheta)
    goal = np.add(toy.GOAL, [0.03, 0.05])
    improver = Embedded(replace(toy.context(unknown), goal=goal))
    assert toy.best_costs(improver, 12, 3, seed=5, goal=goal)[:, 3].mean() < 0.004


def test_model_is_fitted_once_per_data_set():
    data = toy.dataset(draws=4, size=40)
    again = replace(data, provenance={"copied": True})
    assert outcome_model(again, toy.SPACE, toy.MASK) is outcome_model(data, toy.SPACE, toy.MASK)
    other = replace(data, label_cost=np.full(len(data), np.nan))
    assert outcome_model(other, toy.SPACE, toy.MASK) is not outcome_model(data, toy.SPACE, toy.MASK)


def test_prediction_comes_with_the_proposal(data):
    improver = Embedded(toy.context(data))
    missed = []
    for seed in range(24):
        rng = np.random.default_rng([31, seed])
        physics = toy.PHYSICS.sample(rng)
        history = [toy.outcome(toy.SPACE.sample(rng), physics)]
        proposal = improver.propose(history, rng)
        outcome = toy.outcome(toy.SPACE.project(proposal.theta)[0], physics)
        assert proposal.predicted_std > 0.0
        missed.append(abs(outcome.cost - proposal.predicted_cost) / proposal.predicted_std)
    assert np.mean(np.array(missed) < 2.0) > 0.75


def test_far_surprise_does_not_tie_the_run_to_its_start(data):
    """A first outcome that no physics of the data explains: the run still goes where labels are."""
    first = Outcome(np.array([1.5, -0.35]), np.array([0.9, -0.8]), 1.2)
    improver = Embedded(toy.context(data))
    proposal = improver.propose([first], np.random.default_rng(0))
    assert (
        np.abs(toy.SPACE.normalise(proposal.theta) - toy.SPACE.normalise(first.theta)).max() > 0.1
    )


def test_a_search_step_that_is_too_long_is_refused_instead_of_overflowing():
    from icpi_ros.learn.outcome.fitting.fit import MAX_LOG_SCALE, Rows, _Objective

    inputs = np.linspace(-1.0, 1.0, 6)[:, np.newaxis]
    rows = Rows(inputs, inputs.copy(), np.zeros(6, dtype=np.int64), np.zeros(6, dtype=bool), 1)
    objective = _Objective(rows, 0)
    values = np.zeros(7)
    assert objective(values)[0] < 1e12
    values[5] = -400.0  # its square would be zero, and something is divided by it
    value, gradient = objective(values)
    assert (value, np.abs(gradient).max()) == (1e12, 0.0)
    assert abs(values[5]) > MAX_LOG_SCALE
