"""Poses that repeat, stamps that stand still or run backwards, copies, bursts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker import SECOND, START, STOP, during, fed, place, samples, seen, source

from icpi_ros.perception.poses.repeats import RepeatWatch
from icpi_ros.perception.sources import SAME_POSE

MS = 1_000_000
LAST_POSE = "sends its last pose again"


def frozen(found, first, last=9.0):
    """The same samples; from ``first`` to ``last`` [s] the tracker repeats its pose."""
    start = START + round(first * SECOND)
    at = next(sample for sample in found if sample.ns >= start)
    return during(
        found, first, last, lambda s: replace(s, position=at.position, orientation=at.orientation)
    )


def held(found, times):
    """What a node sends that is ``times`` as fast as its tracker."""
    return [replace(s, position=found[i - i % times].position) for i, s in enumerate(found)]


# --- poses that repeat ------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 2e-5], ids=["ideal", "noisy"])
@pytest.mark.parametrize("rate", [30.0, 60.0, 100.0, 240.0, 1000.0])
def test_a_pose_that_repeats_in_motion_is_a_gap_and_no_rest(rate, noise):
    made = fed(frozen(samples(rate, noise), 0.6))
    assert made.measured[-1].ns < START + 0.7 * SECOND
    assert not any(m.at_rest for m in made.measured if m.ns > START + 0.32 * SECOND)
    found = made.path(START, STOP)
    after = found.path.times > 0.605 + 1.0 / rate
    assert np.isnan(found.path.positions[after]).all()  # those that were believed at first, too
    assert not found.quality.good
    assert LAST_POSE in found.quality.reason


@pytest.mark.parametrize("first", [-0.4, -0.2, -0.05, 0.0])
def test_a_tracker_with_noise_never_repeats_even_at_rest(first):
    found = seen(frozen(samples(), first))
    assert LAST_POSE in (found.reason or found.quality.reason)


def test_a_pose_that_repeats_slowly_is_found_by_the_noise_before_it():
    made = fed(frozen(samples(), 1.05))  # at 0.06 m/s
    assert LAST_POSE in made.path(START, STOP).quality.reason
    assert not any(m.at_rest for m in made.measured if m.ns > START + 0.4 * SECOND)


@pytest.mark.parametrize("back", [0.9, 1.1, 1.4])
def test_poses_that_repeat_from_before_the_strike_are_none_once_the_object_is_elsewhere(back):
    found = seen(frozen(samples(noise=0.0), -0.5, back))
    assert np.isnan(found.path.positions[2 : round(100 * back)]).all()
    assert LAST_POSE in found.quality.reason


@pytest.mark.parametrize("noise", [0.0, 2e-5], ids=["ideal", "noisy"])
def test_a_window_of_one_pose_has_no_path(noise):
    found = seen(frozen(samples(noise=noise), -0.3))
    assert found.path is None
    assert found.reason == SAME_POSE or LAST_POSE in found.reason


def test_in_a_simulation_an_object_may_stand_still():
    found = seen(frozen(samples(noise=0.0), -0.3), source(repeated_poses="allowed"))
    assert found.quality.good


@pytest.mark.parametrize("times", [2, 3, 4, 6])
@pytest.mark.parametrize("noise", [0.0, 2e-5], ids=["ideal", "noisy"])
def test_a_slow_tracker_that_is_sent_on_faster_is_measured(times, noise):
    made = fed(held(samples(noise=noise), times))
    assert made.path(START, STOP).quality.good
    assert made.measured[-1].at_rest


def test_an_ideal_object_may_come_to_rest():
    made = fed(samples(noise=0.0))
    assert made.path(START, STOP).quality.good
    assert made.measured[-1].at_rest


@pytest.mark.parametrize("step", [1e-5, 1e-4, 2e-4, 5e-4, 1e-3])
def test_a_coarse_tracker_may_show_an_object_at_rest(step):
    coarse = [replace(s, position=np.round(s.position / step) * step) for s in samples(noise=0.0)]
    made = fed(coarse)
    assert made.path(START, STOP).quality.good
    assert made.measured[-1].at_rest


def test_an_object_in_poses_that_vary_is_back_at_once():
    made = fed(frozen(samples(), 0.6, 0.8))
    assert made.unseen is None
    found = made.path(START, STOP)
    assert np.isfinite(found.path.positions[83:]).all()
    assert found.quality.good  # 0.2 s are a gap as good as one behind the arm


@settings(max_examples=30, deadline=None)
@given(st.floats(0.02, 0.08), st.integers(0, 1000), st.sampled_from([60.0, 100.0, 200.0]))
def test_creeping_is_no_noise(speed, seed, rate):
    watch, rng = RepeatWatch(), np.random.default_rng(seed)
    way = rng.standard_normal(3)
    way /= np.linalg.norm(way)
    for n in range(60):
        position = place(0) + way * speed * (1.0 - np.exp(-n / rate))
        assert not watch.take(round(n * SECOND / rate), position.tobytes(), position).lost
    assert not watch.noisy


# --- stamps -------------------------------------------------------------------------------------


def test_a_message_that_comes_twice_counts_once():
    twice = [copy for sample in samples() for copy in (sample, sample)]
    assert fed(twice).unseen is None
    once, again = seen(samples()), seen(twice)
    np.testing.assert_array_equal(once.path.positions, again.path.positions)
    assert repr(once.quality) == repr(again.quality)


STAMPS = {
    "stand still": lambda s: replace(s, ns=START + 600 * MS),
    "stand still at 0": lambda s: replace(s, ns=0),
    "count backwards": lambda s: replace(s, ns=2 * START + 1200 * MS - s.ns),
    "lag by 0.7 s": lambda s: replace(s, ns=s.ns - 700 * MS),
    "in whole seconds": lambda s: replace(s, ns=s.ns // SECOND * SECOND),
}


@pytest.mark.parametrize("change", STAMPS.values(), ids=STAMPS)
def test_stamps_that_do_not_go_on_are_a_gap(change):
    made = fed(during(samples(), 0.6, 1.15, change))
    found = made.path(START, STOP)
    assert np.isnan(found.path.positions[62:99]).all()
    assert not found.quality.good


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stand still", "several poses with one stamp"),
        ("count backwards", "stamps run backwards"),
        ("in whole seconds", "several poses with one stamp"),
        ("stand still at 0", "poses are not stamped"),
    ],
)
def test_the_reason_is_the_stamps(change, words):
    made = fed(during(samples(), 0.6, 9.0, STAMPS[change]))
    assert words in (made.unseen or "")
    found = made.path(START, STOP)
    assert found.reason or found.quality.reason


def test_one_message_for_ever_stands_still():
    made = fed([*samples()[:60], *20 * [samples()[60]]])
    assert "stamps stand still" in made.unseen


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_messages_that_overtake_each_other_lose_only_themselves(seed, most):
    whole, rng = samples(), np.random.default_rng(seed)
    arrival = np.argsort(np.arange(len(whole)) + rng.uniform(0, most, len(whole)), kind="stable")
    made = fed([whole[i] for i in arrival])
    stamps = [m.ns for m in made.measured]
    assert stamps == sorted(set(stamps))
    truth = {sample.ns: sample.position for sample in whole}
    assert all((m.position == truth[m.ns]).all() for m in made.measured)


@pytest.mark.parametrize("burst", [2, 5, 20, 50])
def test_bursts_do_not_matter_for_their_stamps_count(burst):
    whole = samples()
    late = [replace(s, received=whole[min(i - i % burst + burst, len(whole) - 1)].ns + MS)
            for i, s in enumerate(whole)]  # fmt: skip
    found = seen(late)
    assert found.quality.good
    np.testing.assert_array_equal(found.path.positions, seen(whole).path.positions)


def test_a_clock_that_starts_again_is_followed():
    made = fed([replace(s, ns=s.ns + 1000 * SECOND) for s in samples()])
    assert fed(samples(), made).path(START, STOP).quality.good
