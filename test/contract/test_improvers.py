"""What every registered improver must do, whatever is inside it."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.errors import InvalidValue
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.improvers.base import best
from icpi_ros.improvers.knn import Knn
from icpi_ros.improvers.random import Random
from icpi_ros.improvers.ridge import Ridge
from icpi_ros.types import Outcome

SECONDS = 5.0
"""Generous limit of one proposal without network."""
PHYSICS = np.array([0.2, 0.8])


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Improvers that ask a server must come up with something offline too."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(scope="module")
def data():
    made = toy.dataset()
    for array in (made.theta, made.error, made.dtheta, made.goal, made.cost, made.group):
        array.flags.writeable = False
    return made


@pytest.fixture(params=IMPROVERS.names())
def improver(request, data):
    return IMPROVERS.get(request.param)(toy.context(data))


def trials(*thetas):
    return [toy.outcome(np.array(theta, dtype=float), PHYSICS) for theta in thetas]


def sampled(count):
    rng = np.random.default_rng(8)
    return [toy.outcome(theta, PHYSICS) for theta in toy.SPACE.sample(rng, count)]


HISTORIES = {
    "one": trials((1.0, 0.0)),
    "several": sampled(5),
    "long": sampled(300),
    "repeated": trials(*[(1.0, 0.1)] * 4),
    "nearly repeated": trials((1.0, 0.1), (1.0 + 1e-13, 0.1), (1.0, 0.1 - 1e-13)),
    "on the border": trials((0.6, -0.4), (1.6, 0.4), (1.6, -0.4)),
    "constant errors": [Outcome(o.theta, np.array([0.1, 0.2]), 0.22) for o in sampled(6)],
    "solved": [Outcome(np.array([1.2, 0.1]), np.zeros(2), 0.0)],
    "solved twice": [Outcome(np.array([1.2, h]), np.zeros(2), 0.0) for h in (0.1, 0.2)],
    "far away": [Outcome(o.theta, o.error * 1e6, o.cost * 1e6) for o in sampled(3)],
    "getting worse": [
        Outcome(o.theta, o.error * 10.0**n, 10.0**n) for n, o in enumerate(sampled(9))
    ],
    "tiny errors": [Outcome(o.theta, o.error * 1e-12, o.cost * 1e-12) for o in sampled(3)],
}


@pytest.mark.parametrize("case", HISTORIES)
def test_answers_finite_in_time_and_deterministic(improver, case):
    history = HISTORIES[case]
    start = time.monotonic()
    first = improver.propose(history, np.random.default_rng(3))
    assert time.monotonic() - start < SECONDS
    assert 0.0 <= first.latency < SECONDS
    assert first.theta.shape == (2,)
    assert first.theta.dtype == np.float64
    assert np.isfinite(first.theta).all()
    assert toy.SPACE.contains(toy.SPACE.project(first.theta)[0])
    again = improver.propose(history, np.random.default_rng(3))
    assert np.array_equal(first.theta, again.theta)


def test_keeps_no_state_between_calls(improver, data):
    history = HISTORIES["several"]
    for n in range(1, 5):
        improver.propose(history[n:], np.random.default_rng(n))
    fresh = type(improver)(toy.context(data)).propose(history, np.random.default_rng(3))
    assert np.array_equal(improver.propose(history, np.random.default_rng(3)).theta, fresh.theta)


def test_leaves_its_inputs_alone(improver):
    history = sampled(4)
    for trial in history:
        trial.theta.flags.writeable = False
        trial.error.flags.writeable = False
    before = [(trial.theta.copy(), trial.error.copy()) for trial in history]
    proposal = improver.propose(tuple(history), np.random.default_rng(3))
    assert not any(np.shares_memory(proposal.theta, trial.theta) for trial in history)
    for trial, (theta, error) in zip(history, before, strict=True):
        assert np.array_equal(trial.theta, theta)
        assert np.array_equal(trial.error, error)


def test_says_who_made_it(improver):
    proposal = improver.propose(HISTORIES["several"], np.random.default_rng(3))
    assert proposal.provenance in IMPROVERS
    assert (proposal.provenance == improver.name) == (not proposal.fallback_reason)
    assert "\n" not in proposal.fallback_reason
    json.dumps(dict(proposal.details), allow_nan=False)


def test_name_matches_the_registry():
    for name in IMPROVERS:
        assert IMPROVERS.get(name).name == name
        assert IMPROVERS.get(name).summary
    assert DEFAULT_IMPROVER in IMPROVERS


@pytest.mark.parametrize("name", IMPROVERS.names())
def test_data_set_one_example_short(name):
    kind = IMPROVERS.get(name)
    enough, short = toy.dataset(size=20, draws=1), toy.dataset(size=19, draws=1)
    theta = kind(toy.context(enough)).propose(sampled(2), np.random.default_rng(3)).theta
    assert np.isfinite(theta).all()
    if kind.needs_dataset:
        with pytest.raises(InvalidValue, match=r"needs at least 20 examples, .* has 19"):
            kind(toy.context(short))


@pytest.mark.parametrize("name", IMPROVERS.names())
def test_useless_data_sets(name, data):
    constant = np.zeros_like(data.theta)
    for useless in (
        replace(data, theta=constant + 1.0, error=constant, dtheta=constant),
        replace(data, error=constant),
        replace(data, dtheta=constant),
    ):
        improver = IMPROVERS.get(name)(toy.context(useless))
        for history in HISTORIES.values():
            theta = improver.propose(history, np.random.default_rng(3)).theta
            assert np.isfinite(theta).all()


@pytest.fixture(scope="module")
def ranked(data):
    context = toy.context(data)
    kinds = {"random": Random, "knn": Knn, "ridge": Ridge}
    return {n: toy.best_costs(kind(context), 64, 7, seed=11) for n, kind in kinds.items()}


def test_ridge_beats_knn_beats_random_after_three_adjustments(ranked):
    mean = {name: costs[:, 3].mean() for name, costs in ranked.items()}
    assert 5.0 * mean["ridge"] < mean["knn"] < 0.5 * mean["random"]


def test_ridge_comes_within_20_mm_in_8_trials(ranked):
    assert (ranked["ridge"][:, 7] < 0.020).all()
    assert (ranked["ridge"][:, 3] < 0.020).mean() > 0.95


def test_ridge_copes_with_noise(data):
    costs = toy.best_costs(Ridge(toy.context(data)), 32, 7, seed=12, noise=0.003)
    assert (costs[:, 7] < 0.020).all()


@pytest.mark.parametrize(
    ("distortion", "share"),
    [(-1.0, 0.3), (0.2, 0.02), (3.0, 0.02)],
    ids=["reversed", "timid", "bold"],
)
def test_ridge_makes_progress_in_spite_of_wrong_labels(data, distortion, share):
    """Cost after 12 adjustments, as a share of the first attempt's, averaged over 24 runs."""
    improver = Ridge(toy.context(replace(data, dtheta=distortion * data.dtheta)))
    shares = []
    for seed in range(24):
        rng = np.random.default_rng([13, seed])
        history = toy.run(improver, toy.PHYSICS.sample(rng), rng, 12)
        assert len({tuple(trial.theta) for trial in history}) == len(history), "tried twice"
        shares.append(best(history).cost / history[0].cost)
    assert np.mean(shares) < share


def test_ridge_never_repeats_a_failed_trial():
    history = HISTORIES["constant errors"]
    improver = Ridge(toy.context())
    rng = np.random.default_rng(3)
    for _ in range(20):
        theta, _ = toy.SPACE.project(improver.propose(history, rng).theta)
        assert not any(np.allclose(theta, trial.theta, atol=1e-9) for trial in history)
        history = [*history, Outcome(theta, np.array([0.1, 0.2]), 0.22)]
