"""What an object's path says of the hidden physics, beyond the error; on closed-form slides.

Only the sideways error counts, so that one trial leaves open how friction and tilt share it.
"""

from dataclasses import replace

import numpy as np
import pytest
import toy
from toy_task import TOY

from icpi_ros.core.types import ObjectTrajectory, Outcome
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.outcome.belief import DataBelief
from icpi_ros.learn.outcome.fitting.rows import RowFrame, rows_of
from icpi_ros.learn.outcome.forecast import forecast
from icpi_ros.learn.outcome.model import outcome_model
from icpi_ros.learn.outcome.path_model import path_rows
from icpi_ros.learn.outcome.path_samples import evenly_known, without_pathless
from icpi_ros.learn.outcome.posterior import Posterior
from icpi_ros.learn.paths import TIMES, sample_paths
from icpi_ros.runs.earlier import EarlierRuns
from icpi_ros.runs.setup import remark_on_examples

MASK = np.array([1.0, 0.0])
TIMES_TO_2_S = np.array([time for time in TIMES if time <= 2.0])
THETAS = toy.SPACE.sample(np.random.default_rng(5), 100)


def trajectory(theta, physics, rng=None, noise=0.0):
    """A puck that lies still for 0.1 s, then decelerates evenly to its end."""
    times = 0.01 * np.arange(250)
    left = np.clip(1.0 - (times - 0.1) * physics[0] * toy.GRAVITY / theta[0], 0.0, 1.0)
    way = np.where(times > 0.1, 1.0 - left**2, 0.0)[:, np.newaxis]
    places = toy.START + way * (toy.endpoint(theta, physics) - toy.START)
    places = np.column_stack([places, np.zeros(len(times))])
    if rng is not None:
        places = places + noise * rng.standard_normal(places.shape)
    return ObjectTrajectory(times, places)


def with_paths(draws=12, size=60):
    data, rng = toy.dataset(draws=draws, size=size), np.random.default_rng(0)
    samples = []
    for n in range(size):  # the physics that toy.dataset drew
        if n % (size // draws) == 0:
            samples.append(toy.PHYSICS.sample(rng))
        toy.SPACE.sample(rng)
    found = [
        trajectory(theta, samples[group])
        for theta, group in zip(data.theta, data.group, strict=True)
    ]
    paths = sample_paths(found, TIMES_TO_2_S)
    return replace(
        data, path=paths, label_path=np.full_like(paths, np.nan), path_times=TIMES_TO_2_S
    )


@pytest.fixture(scope="module")
def data():
    return with_paths()


@pytest.fixture(scope="module")
def model(data):
    return outcome_model(data, toy.SPACE, MASK)


def missed(model, physics, seed, shown):
    """Sideways errors [m] at THETAS after one trial: predicted minus true, and their std."""
    theta = toy.SPACE.sample(np.random.default_rng([3, seed]))
    error = toy.endpoint(theta, physics) - toy.GOAL
    found = Posterior.of(
        model, toy.SPACE.normalise(theta[np.newaxis]), error[np.newaxis], toy.GOAL, [shown(theta)]
    )
    scaled = toy.SPACE.normalise(THETAS)
    mean, variance = found.predict(scaled, model.predict(model.inputs(scaled, toy.GOAL)))
    truth = (toy.endpoint(THETAS, physics) - toy.GOAL)[:, :1]
    mean = (mean + model.offset(toy.GOAL)) * model.unit
    return mean - truth, np.sqrt(variance) * model.unit


def over_physics(model, shown):
    off, std = zip(
        *(
            missed(model, physics, seed, lambda theta, physics=physics: shown(theta, physics))
            for seed, physics in enumerate(toy.PHYSICS.sample(np.random.default_rng(8), 12))
        ),
        strict=True,
    )
    return np.array(off), np.array(std)


def test_a_path_tells_what_one_error_leaves_open(model):
    with_path, narrow = over_physics(model, trajectory)
    without, wide = over_physics(model, lambda theta, physics: None)
    assert np.sqrt(np.mean(with_path**2)) < 0.5 * np.sqrt(np.mean(without**2))
    assert narrow.mean() < 0.5 * wide.mean()
    assert np.mean(np.abs(with_path) < 3.0 * narrow) > 0.9


def test_a_noisy_path_does_not_harm(model):
    rng = np.random.default_rng(2)
    with_path, narrow = over_physics(model, lambda *known: trajectory(*known, rng, 0.005))
    without, _ = over_physics(model, lambda theta, physics: None)
    assert np.sqrt(np.mean(with_path**2)) < np.sqrt(np.mean(without**2))
    assert np.mean(np.abs(with_path) < 3.0 * narrow) > 0.9


def test_a_path_of_another_kind_is_hardly_believed(model):
    def walk(theta, physics):
        steps = 0.02 * np.random.default_rng(4).standard_normal((250, 3))
        steps[:10] = 0.0
        return ObjectTrajectory(0.01 * np.arange(250), np.cumsum(steps, axis=0))

    with_path, _ = over_physics(model, walk)
    without, _ = over_physics(model, lambda theta, physics: None)
    assert np.sqrt(np.mean(with_path**2)) < 1.1 * np.sqrt(np.mean(without**2))


def test_a_path_that_is_not_known_changes_nothing(model):
    lost = ObjectTrajectory(0.01 * np.arange(9), np.full((9, 3), np.nan))
    physics = toy.PHYSICS.sample(np.random.default_rng(1))
    shown = [missed(model, physics, 0, lambda theta, path=path: path) for path in (None, lost)]
    np.testing.assert_array_equal(shown[0], shown[1])


def test_features_error_is_what_errors_alone_say(data):
    """Of the data set and of the run: the same proposal as if there were no path."""
    bare = replace(data, path=None, label_path=None, path_times=None)
    physics, theta = toy.PHYSICS.upper, toy.SPACE.sample(np.random.default_rng(1))
    error = toy.endpoint(theta, physics) - toy.GOAL
    trial = Outcome(theta, error, abs(float(error[0])), trajectory(theta, physics))

    def proposed(known, trial, **options):
        context = Context(toy.SPACE, toy.GOAL, MASK, known, options)
        return Embedded(context).propose([trial], np.random.default_rng(0)).theta

    alone = proposed(data, trial, features="error")
    np.testing.assert_allclose(alone, proposed(bare, replace(trial, path=None)), rtol=1e-9)
    assert outcome_model(data, toy.SPACE, MASK, paths=False).path is None


def test_paths_that_say_nothing_are_left_out(data):
    mixed = np.random.default_rng(6).permutation(len(data))
    model = outcome_model(replace(data, path=data.path[mixed]), toy.SPACE, MASK)
    assert model.path is None


def test_data_without_paths_or_with_few_of_them_have_no_path_model(data):
    few = data.path.copy()
    few[10:] = np.nan
    for paths in (None, few):
        other = replace(data, path=paths, label_path=None if paths is None else data.label_path)
        other = other if paths is not None else replace(other, path_times=None)
        assert outcome_model(other, toy.SPACE, MASK).path is None


def without_paths_of(data, *samples):
    known = np.where(np.isin(data.group, samples)[:, np.newaxis, np.newaxis], np.nan, data.path)
    return replace(data, path=known)


def test_a_sample_without_paths_costs_no_other_its_path(data):
    one, two = without_paths_of(data, 3), without_paths_of(data, 3, 4)
    assert outcome_model(one, toy.SPACE, MASK).path is not None
    assert set(without_pathless(one).group) == set(range(12)) - {3}
    assert without_pathless(two) is two  # too many to be left out
    assert without_pathless(data) is data


def test_one_line_says_what_becomes_of_a_sample_without_paths(data):
    def remark(known, improver="embedded"):
        return remark_on_examples(TOY, improver, known, EarlierRuns())

    assert "of 1 of 12 physics samples of the data set: embedded learns from the others alone" in (
        remark(without_paths_of(data, 3))
    )
    assert "embedded learns from no path" in remark(without_paths_of(data, 3, 4))
    assert remark(data) == remark(without_paths_of(data, *range(12))) == ""
    assert remark(without_paths_of(data, 3), "knn") == ""


def test_thinning_skips_no_sample(data):
    """Every second one of 480 paths, where one sample has the odd rows alone."""
    many = data.take(np.tile(np.arange(60), 8))
    group = np.arange(480) // 2 % 11 + 1
    group[1:20:2] = 0
    known = (group != 0) | (np.arange(480) % 2 == 1)
    many = replace(many, group=group, path=np.where(known[:, None, None], many.path, np.nan))
    rows = rows_of(many, RowFrame.of(many, toy.SPACE, MASK))
    assert path_rows(many, rows) is None
    found = path_rows(evenly_known(many, rows), rows)
    counts = np.bincount(found.rows.group)
    assert counts.sum() == 300
    assert counts[0] == 10  # all of them, and of the others nearly the same number
    assert set(counts[1:]) <= {26, 27}
    assert evenly_known(data, rows_of(data, RowFrame.of(data, toy.SPACE, MASK))) is data


def test_a_sample_of_one_execution_has_no_others_to_predict(data):
    kept = data.take((data.group != 0) | (np.arange(len(data)) == 0))
    unknown = np.where(kept.group == 0, np.nan, kept.label_cost)
    assert outcome_model(replace(kept, label_cost=unknown), toy.SPACE, MASK).path is not None


def test_the_same_places_at_other_times_are_another_path(data, model):
    slower = replace(data, path_times=2.0 * data.path_times)
    np.testing.assert_array_equal(
        outcome_model(slower, toy.SPACE, MASK).path.times, 2.0 * model.path.times
    )
    theta, physics = toy.SPACE.sample(np.random.default_rng(1)), toy.PHYSICS.upper
    error, path = toy.endpoint(theta, physics) - toy.GOAL, trajectory(theta, physics)
    slow = ObjectTrajectory(2.0 * path.times, path.positions)
    improver = Embedded(Context(toy.SPACE, toy.GOAL, MASK, data))
    middles = [
        improver.forecast([Outcome(theta, error, 0.1, seen)], THETAS[:1])[0]
        for seen in (path, slow)
    ]
    assert middles[0] != middles[1]


class _Known:
    """Belief whose deviations are those that a forecast expects."""

    unit, noise, caution, recalibration = np.array([0.1, 0.2]), 0.003, 1.0, (1.0, 1.0)

    def predict(self, points):
        return np.full((len(points), 2), 0.004), np.full((len(points), 2), 1e-5)


def test_a_forecast_holds_68_and_95_percent_of_heavy_tailed_deviations():
    belief, rng = _Known(), np.random.default_rng(0)
    (middle,), (half,) = forecast(belief, np.zeros((1, 2)))
    std = np.sqrt(1e-5 + belief.noise**2)
    tails = np.sqrt(rng.chisquare(3, (4000, 1)))
    errors = (0.004 + std * rng.standard_normal((4000, 2)) / tails) * belief.unit
    away = np.abs(np.linalg.norm(errors, axis=1) - middle) / half
    assert abs(np.mean(away < 1.0) - 0.68) < 0.02
    assert abs(np.mean(away < 2.0) - 0.93) < 0.03


def test_factors_count_for_the_evidence_that_they_were_measured_with(model):
    measured = replace(model, recalibration={"path": ((2.0, 3.0),)})
    blind = replace(measured, path=None)  # as with features=error
    physics, thetas = toy.PHYSICS.sample(np.random.default_rng(1)), THETAS[:2]
    errors = toy.endpoint(thetas, physics) - toy.GOAL
    paths = [trajectory(theta, physics) for theta in thetas]
    seen = np.r_[0:20, 200:250]
    lost = ObjectTrajectory(paths[0].times[seen], paths[0].positions[seen])

    def factors(model, paths):
        scaled = toy.SPACE.normalise(thetas)
        posterior = Posterior.of(model, scaled, errors, toy.GOAL, paths)
        return DataBelief(posterior, toy.GOAL, scaled, None).recalibration

    assert factors(measured, paths) == (2.0, 3.0)
    for shown in ([None, None], [paths[0], None], [lost, lost], [paths[0], lost]):
        assert factors(measured, shown) == (1.0, 1.0)
    assert factors(blind, paths) == (1.0, 1.0)
    assert factors(replace(blind, recalibration={"error": ((4.0, 5.0),)}), paths) == (4.0, 5.0)
