"""Paths at fixed times after an event: the same whatever window, rate, noise and gaps they have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.learn import paths
from icpi_ros.learn.paths import MOVED, known_paths, path_times, sample_path, sample_paths
from icpi_ros.tasks import TASKS

START = np.array([0.6, -0.15, 0.02])
TIMES = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0])
STOP = 0.9
"""Time from the impact to the end [s]; the speed falls linearly to zero."""


def places(times, speed=1.0, heading=0.2):
    """Return where a struck puck is ``times`` after the impact, and before it."""
    t = np.clip(times, 0.0, STOP)
    way = speed * (t - 0.5 * t**2 / STOP)
    return START + way[:, np.newaxis] * np.array([-np.sin(heading), np.cos(heading), 0.0])


def struck(rate=100.0, before=0.3, noise=0.0, after=STOP, seed=0, **puck):
    """Return a puck as a sensor sees it whose window opens ``before`` the impact."""
    times = np.arange(0.0, before + after + 1e-9, 1.0 / rate)
    white = noise * np.random.default_rng(seed).standard_normal((len(times), 3))
    return ObjectTrajectory(times, places(times - before, **puck) + white)


def distances(path, reference):
    return np.linalg.norm(path - reference, axis=1)


def test_places_are_counted_from_the_moment_at_which_the_object_is_away():
    found = sample_path(struck(rate=250.0), TIMES)
    event = STOP * (1.0 - np.sqrt(1.0 - 2.0 * MOVED / STOP))  # the puck is MOVED away
    wanted = places(event + TIMES)
    wanted[0] = START
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    np.testing.assert_array_equal(found, found.astype(np.float32))
    assert (found[-1] == found[-2]).all()  # the end is held


@settings(max_examples=25)
@given(
    rate=st.floats(60.0, 500.0),
    before=st.floats(0.1, 2.0),
    speed=st.floats(0.4, 1.5),
    heading=st.floats(-3.0, 3.0),
)
def test_window_and_rate_change_nothing(rate, before, speed, heading):
    puck = {"speed": speed, "heading": heading}
    found = sample_path(struck(rate, before, **puck), TIMES)
    assert distances(found, sample_path(struck(**puck), TIMES)).max() < 4e-3


@settings(max_examples=25)
@given(before=st.floats(0.1, 2.0), rate=st.floats(10.0, 30.0))
def test_a_slow_sensor_is_a_rough_one(before, rate):
    found = sample_path(struck(rate, before), TIMES)
    assert distances(found, sample_path(struck(), TIMES)).max() < 0.05


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([60.0, 125.0, 500.0]))
def test_noise_does_not_grow(seed, rate):
    found = sample_path(struck(rate, 0.8, noise=0.005, seed=seed), TIMES)
    assert distances(found, sample_path(struck(), TIMES)).max() < 0.035
    assert np.sqrt(np.mean(distances(found, sample_path(struck(), TIMES)) ** 2)) < 0.02


@settings(max_examples=25)
@given(index=st.integers(1, 118), off=st.floats(-0.5, 0.5))
def test_one_wrong_sample_does_not_move_the_event(index, off):
    true = struck()
    wrong = true.positions.copy()
    wrong[index] += off
    found = sample_path(ObjectTrajectory(true.times, wrong), TIMES)
    away = distances(found, sample_path(true, TIMES))
    assert np.sort(away)[:-2].max() < 0.05  # a place or two at the sample itself are wrong


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_short_gaps_are_bridged(seed):
    true, rng = struck(), np.random.default_rng(seed)
    holes = true.positions.copy()
    holes[rng.random(len(holes)) < 0.25] = np.nan
    found = sample_path(ObjectTrajectory(true.times, holes), TIMES)
    assert distances(found, sample_path(true, TIMES)).max() < 0.02


def without(true, first, last):
    holes = true.positions.copy()
    holes[(true.times >= first) & (true.times <= last)] = np.nan
    return ObjectTrajectory(true.times, holes)


@pytest.mark.parametrize(
    "unusable",
    [
        None,
        ObjectTrajectory(np.empty(0), np.empty((0, 3))),
        ObjectTrajectory(np.arange(3.0), np.full((3, 3), np.nan)),
        ObjectTrajectory(0.1 * np.arange(3), places(0.1 * np.arange(3))),
        struck(speed=1e-3),  # it never moves
        struck(noise=0.005, speed=0.0, rate=500.0, before=8.0),  # nor does noise move it
        without(struck(), 0.31, 0.6),  # the event is not seen
        without(struck(), 0.65, 0.9),  # a place is not
        without(struck(), 0.0, 0.6),  # nor the start
        without(struck(), 0.6, 2.0),  # too little is seen
        without(struck(), 0.9, 2.0),  # it leaves the view
    ],
)
def test_a_path_that_is_not_known_is_all_nan(unusable):
    assert np.isnan(sample_path(unusable, TIMES)).all()


def test_the_rest_of_a_path_need_not_be_seen():
    seen = without(struck(after=5.0), 2.4, 5.0)
    assert distances(sample_path(seen, TIMES), sample_path(struck(), TIMES)).max() < 1e-3


def test_several_paths_are_sampled_one_by_one():
    found = sample_paths([struck(), None], TIMES)
    np.testing.assert_array_equal(found[0], sample_path(struck(), TIMES))
    assert known_paths(found).tolist() == [True, False]
    assert sample_paths([], TIMES).shape == (0, len(TIMES), 3)


def test_a_task_has_the_times_that_its_trials_last():
    times = path_times(TASKS.get("rope-swing"))
    assert times[0] == 0.0
    assert (np.diff(times) > 0.0).all()
    assert 1.3 < times[-1] <= 1.5
    assert len(path_times(TASKS.get("slide"))) > len(times)


def test_a_trial_of_an_instant_has_a_start_and_another_place():
    class Blink:
        max_duration = 0.01

    assert path_times(Blink()).tolist() == [0.0, 0.05]


def test_a_path_of_very_many_samples_is_read_by_windows(monkeypatch):
    seen = struck(rate=997.0, noise=1e-4)
    dense = sample_path(seen, TIMES)
    monkeypatch.setattr(paths, "MAX_DENSE", 10)
    assert distances(sample_path(seen, TIMES), dense).max() < 1e-7
