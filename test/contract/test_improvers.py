"""What every registered improver must do, whatever is inside it."""

import time
from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Outcome
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.improvers.base import best
from icpi_ros.improvers.options import options_of
from icpi_ros.improvers.ridge import RidgeHindsight
from icpi_ros.testing import improvers
from icpi_ros.testing.improvers import HISTORIES, sampled


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


@pytest.fixture(params=IMPROVERS.built_in)
def kind(request):
    return IMPROVERS.get(request.param)


@pytest.fixture(scope="module")
def made():
    """Improvers by their class: none keeps anything of a run, which a test below shows."""
    return {}


@pytest.fixture
def improver(kind, data, made):
    if kind not in made:
        made[kind] = kind(toy.context(data))
    return made[kind]


@pytest.mark.parametrize("case", HISTORIES)
def test_answers_finite_in_time_and_deterministic(improver, case):
    start = time.monotonic()
    improvers.answers_finite_and_deterministic(improver, case)
    assert time.monotonic() - start < 2.0 * improvers.SECONDS


def test_keeps_no_state_between_calls(kind):
    improvers.keeps_no_state_between_calls(kind)


def test_leaves_its_inputs_alone(kind):
    improvers.leaves_its_inputs_alone(kind)


def test_says_who_made_it(kind):
    improvers.says_who_made_it(kind)


def test_name_matches_the_registry():
    for name in IMPROVERS:
        assert IMPROVERS.get(name).name == name
        assert IMPROVERS.get(name).summary
    assert DEFAULT_IMPROVER in IMPROVERS


@pytest.mark.parametrize("name", IMPROVERS.built_in)
def test_data_set_one_example_short(name):
    kind = IMPROVERS.get(name)
    enough, short = toy.dataset(size=20, draws=1), toy.dataset(size=19, draws=1)
    theta = kind(toy.context(enough)).propose(sampled(2), np.random.default_rng(3)).theta
    assert np.isfinite(theta).all()
    if kind.needs_dataset:
        with pytest.raises(InvalidValue, match=r"needs at least 20 examples, .* has 19"):
            kind(toy.context(short))


@pytest.mark.slow
@pytest.mark.parametrize("name", IMPROVERS.built_in)
def test_useless_data_sets(name):
    data = toy.dataset(size=60)
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


@pytest.mark.parametrize("name", IMPROVERS.built_in)
def test_unknown_options_are_refused(name, data):
    kind = IMPROVERS.get(name)
    improvers.unknown_options_are_refused(kind)
    with pytest.raises(InvalidValue, match=rf"unknown option 'depth' of {name}: ") as caught:
        kind(toy.context(data, depth=3))
    assert all(option in str(caught.value) for option in options_of(kind.Options))


@pytest.mark.parametrize(
    "name", [n for n in IMPROVERS if "k" in options_of(IMPROVERS.get(n).Options)]
)
def test_number_of_examples_in_context(name, data):
    kind, history = IMPROVERS.get(name), sampled(1)
    thetas = [
        kind(toy.context(data, k=k)).propose(history, np.random.default_rng(3)).theta
        for k in (1, 7, 300)
    ]
    assert np.isfinite(thetas).all()
    assert len({tuple(theta) for theta in thetas}) == 3 or name.startswith("llm")
    for wrong in (0, 1.5, "many", True, None):
        with pytest.raises(
            InvalidValue, match=rf"option k of {name}: .* a whole number, 1 to 1000"
        ):
            kind(toy.context(data, k=wrong))
    with pytest.raises(InvalidValue, match="needs at least 301 examples"):
        kind(toy.context(data, k=301))


def choices(name, option):
    """Return what an option of an improver may be; none if it has no such option."""
    known = options_of(IMPROVERS.get(name).Options)
    return known[option].choices or () if option in known else ()


RAW = [name for name in IMPROVERS if "raw" in choices(name, "features")]


@pytest.mark.parametrize("name", RAW)
def test_raw_features_do_not_matter_where_the_goal_is_fixed_and_scales_are_equal(name, data):
    """State and goal hold what the error holds; with one goal only the scale differs."""
    kind = IMPROVERS.get(name)
    runs = 1 if kind.asks_model else 8  # without a network all of them answer as their substitute
    costs = {
        features: toy.best_costs(kind(toy.context(data, features=features)), runs, 4, seed=21)[
            :, 4
        ].mean()
        for features in ("error", "raw")
    }
    assert 0.2 < costs["raw"] / costs["error"] < 5.0


@pytest.mark.parametrize("name", RAW)
def test_wrong_features(name, data):
    kind = IMPROVERS.get(name)
    for wrong in ("pixels", 3, None):
        with pytest.raises(InvalidValue, match="choose one of error, raw"):
            kind(toy.context(data, features=wrong))
    wide = replace(data, error=np.tile(data.error, 2))
    with pytest.raises(InvalidValue, match="4 errors and 2 goal values"):
        kind(replace(toy.context(wide, features="raw"), cost_mask=np.ones(4)))


RANKING = [
    ("embedded", "gauss-newton", 1, 40.0),
    ("embedded", "ridge-hindsight", 2, 20.0),
    ("embedded", "bo-warm", 3, 200.0),
    ("ridge-hindsight", "knn", 3, 15.0),
    ("knn", "random", 3, 2.5),
    ("ridge", "knn", 1, 1.5),
    ("ridge-hindsight", "ridge", 5, 50.0),
    ("gauss-newton", "ridge", 3, 18.0),
    ("gauss-newton", "cma-warm", 3, 45.0),
    ("gauss-newton", "bo-warm", 3, 35.0),
    ("broyden", "ridge", 3, 20.0),
    ("bo-warm", "bo", 3, 4.5),
    ("cma-warm", "cma", 3, 5.0),
    ("cma-warm", "random", 3, 6.0),
    ("bo", "random", 7, 1.3),
    ("cma-warm", "cma", 7, 4.0),
]
"""Better, worse, after how many adjustments, and by what factor of the mean cost at least.

About half of the lowest ratio of 20 seeds of data set and instances: ``ranking_seeds.py`` beside
this file shows them.  Raise a factor where an improver got better, with its lowest ratio.
"""
INSTANCES = 64
SLOW = {"bo": 24, "bo-warm": 24}
"""Instances of improvers that take most of the time."""


def ranked_costs(context, seed):
    """Best cost so far [m], (instances, adjustments + 1), by name; no longer than RANKING needs."""
    costs = {}
    for name in sorted({name for row in RANKING for name in row[:2]}):
        steps = max(row[2] for row in RANKING if name in row[:2])
        improver = IMPROVERS.get(name)(context)
        costs[name] = toy.best_costs(improver, SLOW.get(name, INSTANCES), steps, seed=seed)
    return costs


def ratio(costs, better, worse, adjustments):
    """Mean cost of ``worse`` over that of ``better``, on the instances that both ran.

    The worst tenth is left out: one run in a thousand that begins in a wrong valley costs more
    than all others of its seed together, and would decide the ratio.
    """
    both = min(len(costs[better]), len(costs[worse]))
    kept = -(-9 * both // 10)
    means = [np.sort(costs[name][:both, adjustments])[:kept].mean() for name in (worse, better)]
    return means[0] / means[1]


@pytest.fixture(scope="module")
def ranked(data):
    return ranked_costs(toy.context(data), seed=11)


@pytest.mark.slow
@pytest.mark.parametrize(("better", "worse", "adjustments", "factor"), RANKING)
def test_ranking(ranked, better, worse, adjustments, factor):
    """Mean cost on closed-form slides: ``better`` is so many times lower than ``worse``."""
    assert ratio(ranked, better, worse, adjustments) > factor


@pytest.mark.slow
def test_no_run_of_embedded_is_left_behind(ranked):
    assert ranked["embedded"][:, 3].max() < 0.001


def test_ridge_hindsight_comes_within_20_mm_in_8_trials(data):
    costs = toy.best_costs(RidgeHindsight(toy.context(data)), INSTANCES, 7, seed=11)
    assert (costs[:, 7] < 0.020).all()
    assert (costs[:, 3] < 0.020).mean() > 0.95


def test_ridge_hindsight_copes_with_noise(data):
    costs = toy.best_costs(RidgeHindsight(toy.context(data)), 32, 7, seed=12, noise=0.003)
    assert (costs[:, 7] < 0.020).all()


@pytest.mark.parametrize(
    ("distortion", "share"),
    [(-1.0, 0.3), (0.2, 0.02), (3.0, 0.02)],
    ids=["reversed", "timid", "bold"],
)
def test_ridge_hindsight_makes_progress_in_spite_of_wrong_labels(data, distortion, share):
    """Cost after 12 adjustments, as a share of the first attempt's, averaged over 24 runs."""
    improver = RidgeHindsight(toy.context(replace(data, dtheta=distortion * data.dtheta)))
    shares = []
    for seed in range(24):
        rng = np.random.default_rng([13, seed])
        history = toy.run(improver, toy.PHYSICS.sample(rng), rng, 12)
        assert len({tuple(trial.theta) for trial in history}) == len(history), "tried twice"
        shares.append(best(history).cost / history[0].cost)
    assert np.mean(shares) < share


def test_ridge_hindsight_never_repeats_a_failed_trial():
    history = HISTORIES["constant errors"]
    improver = RidgeHindsight(toy.context())
    rng = np.random.default_rng(3)
    for _ in range(20):
        theta, _ = toy.SPACE.project(improver.propose(history, rng).theta)
        assert not any(np.allclose(theta, trial.theta, atol=1e-9) for trial in history)
        history = [*history, Outcome(theta, np.array([0.1, 0.2]), 0.22)]
