"""What a sequence model is shown: adjustments, outcomes, and the region they support."""

from dataclasses import replace

import numpy as np
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.improvers.llm.fusion import fuse
from icpi_ros.improvers.llm.steered import MIN_RADIUS, Region, shown
from icpi_ros.learn.features import Features
from icpi_ros.learn.retrieval import Index, Scale
from icpi_ros.llm.prompt.examples import MAX_TRIALS, ORDERS, AdjustmentPatterns, OutcomePatterns

PHYSICS = np.array([0.2, 0.8])
TRIALS = [toy.outcome(np.array(t), PHYSICS) for t in ((1.2, 0.1), (0.8, -0.2), (1.0, 0.05))]


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


def adjustments(data, features="error", **changes):
    seen = Features.of(features, data, toy.GOAL)
    index = Index(seen.examples(data), toy.SPACE, seen.mask(toy.MASK))
    return replace(AdjustmentPatterns(data, seen, index), **changes)


def test_retrieved_examples_come_nearest_last(data):
    builder = adjustments(data)
    found = builder.pattern(TRIALS, TRIALS[0], 20, own=False)
    far = np.linalg.norm(found.shared.joined - found.asked, axis=1)
    assert (len(found.shared), len(found.own)) == (20, 0)
    assert (np.diff(far) <= 1e-12).all()
    scaled = builder.index.scale.point(data.theta, data.error)
    nearest = np.argmin(np.linalg.norm(scaled - found.asked, axis=1))
    np.testing.assert_allclose(found.shared.joined[-1], scaled[nearest])
    np.testing.assert_allclose(found.shared.outputs[-1], data.dtheta[nearest] / [0.5, 0.4])


@pytest.mark.parametrize("order", ORDERS)
def test_orders_show_the_same_examples(data, order):
    usual = adjustments(data).pattern(TRIALS, TRIALS[0], 20, own=False).shared
    other = adjustments(data, order=order).pattern(TRIALS, TRIALS[0], 20, own=False).shared
    rows = [np.hstack([lines.joined, lines.outputs]) for lines in (usual, other)]
    assert (rows[0] == rows[1]).all() == (order == "nearest-last")
    np.testing.assert_array_equal(*(row[np.lexsort(row.T)] for row in rows))


def test_own_pairs_are_exact_examples(data):
    builder = adjustments(data)
    found = builder.pattern(TRIALS, TRIALS[-1], 5, own=True).own
    assert len(found) == 6
    scale = builder.index.scale
    for first, second in ((0, 1), (2, 0)):
        a, b = TRIALS[first], TRIALS[second]
        inputs = np.concatenate([scale.theta(a.theta), (a.error - b.error) / scale.rms])
        (row,) = np.flatnonzero(np.abs(found.joined - inputs).max(axis=1) < 1e-12)
        np.testing.assert_allclose(found.outputs[row], scale.dtheta(b.theta - a.theta))


def test_a_long_history_shows_the_trials_nearest_to_the_base(data):
    rng = np.random.default_rng(1)
    many = [toy.outcome(theta, PHYSICS) for theta in toy.SPACE.sample(rng, 50)]
    found = adjustments(data).pattern(many, many[7], 5, own=True).own
    assert len(found) == MAX_TRIALS * (MAX_TRIALS - 1)
    start = toy.SPACE.normalise(many[7].theta)
    assert np.abs(found.inputs[0] - start).max(axis=1).min() == 0.0


def test_raw_features_show_state_and_goal(data):
    found = adjustments(data, "raw").pattern(TRIALS, TRIALS[0], 5, own=True)
    assert [group.shape[-1] for group in found.query] == [2, 4]
    assert found.own.inputs[1].shape == (6, 4)
    # A pair's goal is the outcome of its second trial.
    apart = found.own.inputs[1][:, :2] * adjustments(data, "raw").index.scale.rms[:2]
    goals = found.own.inputs[1][:, 2:] * adjustments(data, "raw").index.scale.rms[2:]
    gaps = sorted(np.linalg.norm(apart - goals, axis=1))
    ends = [trial.error + toy.GOAL for trial in TRIALS]
    wanted = sorted(
        np.linalg.norm(a - b) for n, a in enumerate(ends) for b in (*ends[:n], *ends[n + 1 :])
    )
    np.testing.assert_allclose(gaps, wanted, atol=1e-12)


def test_outcome_lines_come_nearest_last_and_from_the_nearest_trials(data):
    scale = Scale.of(data, toy.SPACE, toy.MASK)
    rng = np.random.default_rng(1)
    many = [toy.outcome(theta, PHYSICS) for theta in toy.SPACE.sample(rng, 20)]
    found = OutcomePatterns(data, scale, toy.GOAL).pattern(many, many[3], np.array([1.0, 0.1]), 10)
    for lines in (found.shared, found.own):
        far = np.linalg.norm(lines.joined - found.asked, axis=1)
        assert (np.diff(far) <= 1e-12).all()
    starts = np.abs(found.own.inputs[0] - toy.SPACE.normalise(many[3].theta)).max(axis=1)
    assert starts.min() == 0.0


def test_outcomes_of_data_without_two_executions_of_one_physics(data):
    apart = replace(data, group=np.arange(len(data)), label_cost=np.full(len(data), np.nan))
    scale = Scale.of(apart, toy.SPACE, toy.MASK)
    found = OutcomePatterns(apart, scale, toy.GOAL).pattern(
        TRIALS, TRIALS[0], np.array([1.0, 0.1]), 10
    )
    assert (len(found.shared), len(found.own), found.width) == (0, 6, 2)


def test_outcome_lines_are_true_steps_of_one_system(data):
    scale = Scale.of(data, toy.SPACE, toy.MASK)
    found = OutcomePatterns(data, scale, toy.GOAL).pattern(
        TRIALS, TRIALS[0], np.array([1.0, 0.1]), 30
    )
    assert (len(found.shared), len(found.own)) == (30, 6)
    start, error, step = (group[0] for group in found.own.inputs)
    there = toy.SPACE.denormalise(start + step)
    np.testing.assert_allclose(found.own.outputs[0] * scale.rms, toy.outcome(there, PHYSICS).error)
    here = toy.SPACE.denormalise(start)
    np.testing.assert_allclose(error * scale.rms, toy.outcome(here, PHYSICS).error)
    np.testing.assert_allclose(
        found.query[2],
        toy.SPACE.normalise(np.array([1.0, 0.1])) - toy.SPACE.normalise(TRIALS[0].theta),
    )


SAMPLES = st.lists(st.floats(-3, 3), min_size=1, max_size=9)


@given(SAMPLES, st.sampled_from(["median", "student-t"]))
def test_fused_samples_lie_between_them(values, how):
    samples = np.array(values)[:, np.newaxis]
    place, spread = fuse(samples, how)
    assert samples.min() - 1e-9 <= place[0] <= samples.max() + 1e-9
    assert np.isnan(spread[0]) == (len(values) == 1)
    assert not spread[0] > 1.4826 * 6.0


@pytest.mark.parametrize("how", ["median", "student-t"])
def test_one_wild_sample_hardly_counts(how):
    good = np.array([[0.10], [0.11], [0.09], [0.105]])
    place, spread = fuse(np.vstack([good, [[2.0]]]), how)
    assert abs(place[0] - 0.1) < 0.01
    assert spread[0] < 0.02


def test_one_sample_is_itself_and_has_no_spread():
    place, spread = fuse(np.array([[0.3, -0.4]]), "student-t")
    np.testing.assert_array_equal(place, [0.3, -0.4])
    assert np.isnan(spread).all()


PLACES = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])


def test_at_first_the_examples_decide():
    region = Region.of(PLACES, np.array([[0.9, 0.9]]), np.array([[1.0, 0.0]]), 0.6)
    assert region.trust == 1.0
    assert region.excess(np.array([0.1, 0.1])) <= 1.0 < region.excess(np.array([0.9, 0.9]))


def test_trust_moves_to_the_run():
    thetas = np.array([[0.9, 0.9], [0.8, 0.9], [0.7, 0.9], [0.6, 0.9]])
    errors = np.array([[0.1, 0.0], [0.2, 0.0], [0.3, 0.0], [0.4, 0.0]])
    late = Region.of(PLACES, thetas, errors, 0.2)
    assert late.trust == pytest.approx(0.008)
    # The run's own trials: a step of 0.1 per 0.1 of error, twice that is allowed.
    assert late.reach == pytest.approx(0.2)
    assert late.excess(np.array([0.85, 0.9])) < 1.0 < late.excess(np.array([0.0, 0.0]))


@settings(max_examples=50)
@given(st.integers(0, 5), st.integers(1, 5), st.floats(0.0, 1.0))
def test_regions_of_any_data_are_finite_around_the_best_trial(places, trials, decay):
    found = Region.of(np.zeros((places, 2)), np.zeros((trials, 2)), np.ones((trials, 2)), decay)
    assert found.radius >= MIN_RADIUS
    assert found.excess(np.zeros(2)) == 0.0


def test_fewer_examples_are_shown_as_trust_falls():
    assert [shown(20, trust, 4) for trust in (1.0, 0.6, 0.1)] == [20, 12, 4]
    assert shown(3, 1.0, 4) == 3
