"""Poses of an object that is not tracked: gaps with a reason, judged as a camera's path is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker import SECOND, START, STOP, UPRIGHT, during, fed, lost, place, samples, seen, source

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.perception.poses.losses import Loss, tracking_loss, worst_variance
from icpi_ros.perception.quality import QualitySettings
from icpi_ros.tasks import TASKS

ZERO, NAN = np.zeros(3), float("nan")
LOST = {
    "all zero": (lost(position=ZERO, orientation=np.zeros(4)), "all zero"),
    "origin, upright": (lost(position=ZERO), "exactly 0, 0, 0"),
    "origin, no orientation": (lost(position=ZERO, orientation=None), "exactly 0, 0, 0"),
    "NaN position": (lost(position=np.full(3, NAN)), "not finite"),
    "NaN in one axis": (lost(position=np.array([0.6, NAN, 0.0])), "not finite"),
    "infinite": (lost(position=np.array([0.6, np.inf, 0.0])), "not finite"),
    "NaN quaternion": (lost(orientation=np.full(4, NAN)), "not finite"),
    "quaternion of norm 0": (lost(orientation=np.zeros(4)), "norm 0"),
    "quaternion of norm 2": (lost(orientation=2.0 * UPRIGHT), "not norm 1"),
    "quaternion of norm 0.5": (lost(orientation=0.5 * UPRIGHT), "not norm 1"),
    "negative covariance": (lost(variance=-1.0), "negative"),
    "NaN covariance": (lost(variance=NAN), "negative or not finite"),
    "huge covariance": (lost(variance=1e6), "beyond 0.05 m"),
    "covariance of 99999": (lost(variance=99999.0), "beyond 0.05 m"),
    "covariance of 0.1 m": (lost(variance=0.01), "beyond 0.05 m"),
}


@pytest.mark.parametrize(("change", "words"), LOST.values(), ids=LOST)
def test_a_lost_object_is_a_gap_with_the_reason(change, words):
    found = seen(during(samples(), 0.5, 1.2, change))
    gap = slice(51, 119)
    assert np.isnan(found.path.positions[gap]).all()
    assert np.isfinite(found.path.positions[:50]).all()
    assert not found.quality.good
    assert "not seen for 0.72 s, at most 0.4 s allowed" in found.quality.reason
    assert words in found.quality.reason


@pytest.mark.parametrize(("change", "words"), LOST.values(), ids=LOST)
def test_a_window_without_the_object_has_no_path_but_the_true_reason(change, words):
    found = seen(during(samples(), -1.0, 4.0, change))
    assert found.path is None
    assert words in found.reason
    assert "(201 poses)" in found.reason


def test_an_object_that_is_lost_at_the_end_is_not_judged_by_where_it_was():
    found = seen(during(samples(), 1.7, 4.0, LOST["all zero"][0]))
    assert "not seen in the last 0.31 s" in found.quality.reason
    with pytest.raises(ObservationMissing):
        TASKS.get("slide").error(found.path, TASKS.get("slide").default_goal)


def test_an_arm_may_hide_the_object_for_a_while():
    found = seen(during(samples(), 0.5, 0.8, LOST["NaN position"][0]))
    assert found.quality.good
    assert found.quality.longest_gap == pytest.approx(0.32)


def test_a_lost_object_does_not_rest():
    made = fed(during(samples(), 0.5, 4.0, LOST["all zero"][0]))
    assert not any(m.at_rest for m in made.measured if m.ns > START + 0.4 * SECOND)
    assert made.measured[-1].ns < START + 0.5 * SECOND
    assert made.unseen == Loss.ZERO
    assert made.newest > STOP  # so that nobody waits for more of the window


def test_the_reason_is_gone_when_the_object_is_back():
    assert fed(during(samples(), 0.5, 0.8, LOST["all zero"][0])).unseen is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([change for change, _ in LOST.values()]), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
)
def test_nothing_is_invented_whatever_is_lost(changes, seed, share):
    rng = np.random.default_rng(seed)
    whole = samples(rate=50.0)
    gone = rng.random(len(whole)) < share
    mixed = [
        changes[i % len(changes)](sample) if out else sample
        for i, (sample, out) in enumerate(zip(whole, gone, strict=True))
    ]
    made = fed(mixed)
    kept = {sample.ns: sample.position for sample, out in zip(whole, gone, strict=True) if not out}
    assert {m.ns for m in made.measured} == set(kept)
    found = made.path(START, STOP)
    if found.path is None:
        assert found.reason
        return
    there = np.isfinite(found.path.positions).all(axis=1)
    times = START + np.rint(found.path.times[there] * SECOND).astype(np.int64)
    for ns, position in zip(times.tolist(), found.path.positions[there], strict=True):
        np.testing.assert_array_equal(position, kept[ns])


@pytest.mark.parametrize(
    ("rate", "words"),
    [(240.0, None), (100.0, None), (60.0, None), (30.0, None), (16.0, None), (10.0, "10.0 poses")],
)
def test_a_slow_tracker_is_judged_by_its_rate_not_by_our_grid(rate, words):
    quality = seen(samples(rate)).quality
    assert quality.rate == pytest.approx(rate, rel=1e-3)
    if words:
        assert f"{words} per second, at least 15 needed" in quality.reason
    else:
        assert quality.good


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ((0.4, 0.75), None),
        ((0.4, 0.85), "not seen for 0.47 s, at most 0.4 s"),
        ((1.92, 2.6), None),
        ((1.88, 2.6), "not seen in the last 0.13 s, at most 0.1 s"),
        ((-0.1, 0.5), "not seen for 0.51 s"),
        ((-0.5, 2.6), "no pose in the window"),
    ],
)
def test_limits_are_those_of_camera_paths(gap, words):
    found = seen(during(samples(), *gap, lambda sample: None))
    reason = found.reason if found.path is None else found.quality.reason
    assert (words in reason) if words else reason is None


def test_many_short_gaps_are_too_many():
    found = samples()
    for first in np.arange(0.0, 2.0, 0.4):
        found = during(found, first, first + 0.3, LOST["all zero"][0])
    assert "of the window, at least 50% needed: position" in seen(found).quality.reason


def test_a_rope_must_be_seen_without_gaps():
    agility = TASKS.get("rope-swing").camera_target.agility
    limits = QualitySettings.of(agility)
    assert (limits.max_gap, limits.max_residual) == (agility.max_gap, agility.max_residual)
    made = source("rope-swing")
    found = seen(during(samples(250.0), 0.5, 0.7, LOST["NaN position"][0]), made)
    assert "at most 0.1 s allowed" in found.quality.reason


@pytest.mark.parametrize(
    ("diagonal", "variance"),
    [
        ((1e-6, 2e-6, 3e-6, 9, 9, 9), 3e-6),
        ((0, 0, 0, 0, 0, 0), 0.0),
        ((1e-6, -1.0, 5.0, 0, 0, 0), -1.0),
        ((1e9, 1e9, 1e9, 0, 0, 0), 1e9),
        ((1e-6, 1e-6, NAN, 0, 0, 0), NAN),
        ((1e-6, np.inf, 0, 0, 0, 0), NAN),
    ],
)
def test_the_worst_variance_of_the_position_counts(diagonal, variance):
    found = worst_variance(np.diag(diagonal).ravel())
    assert found == pytest.approx(variance, nan_ok=True)
    bad = not 0.0 <= found <= 0.05**2
    assert (tracking_loss(place(START), UPRIGHT, found) is not None) == bad


@pytest.mark.parametrize("scale", [1.0, 0.95, 1.05, -1.0, 1.0 + 1e-7])
def test_rounding_of_a_quaternion_is_no_loss(scale):
    assert tracking_loss(place(START), scale * np.full(4, 0.5), None) is None


ELSEWHERE = np.array([0.9, 0.3, 0.01])
RESTS = START + 1.5 * SECOND


def elsewhere(sample):
    """The same moment, of another object that rests."""
    noise = 2e-5 * np.random.default_rng(sample.ns).standard_normal(3)
    return replace(sample, position=ELSEWHERE + noise)


LEAPS = {
    "swapped once at rest": lambda s, n: [elsewhere(s) if s.ns > RESTS else s],
    "at the last pose": lambda s, n: [elsewhere(s) if s.ns > STOP - 6e6 else s],
    "in turn": lambda s, n: [elsewhere(s) if n % 2 else s],
    "two senders": lambda s, n: [s, replace(elsewhere(s), ns=s.ns + 10**5)],
    "two senders of one stamp": lambda s, n: [s, elsewhere(s)],
    "often": lambda s, n: [elsewhere(s) if n % 20 == 0 else s],
}


@pytest.mark.parametrize("change", LEAPS.values(), ids=LEAPS)
def test_an_object_that_is_at_two_places_has_no_path(change):
    found = [sent for n, s in enumerate(samples()) for sent in change(s, n)]
    assert seen(found).quality.reason.startswith("the object leaps, ")


@pytest.mark.parametrize("spikes", [(1.5,), (0.5, 1.0, 1.9)])
def test_few_single_poses_elsewhere_are_gaps(spikes):
    at = [START + round(t * SECOND) for t in spikes]
    found = seen([elsewhere(s) if s.ns in at else s for s in samples()])
    assert found.quality.good
    gone = np.isnan(found.path.positions).any(axis=1)
    np.testing.assert_allclose(found.path.times[gone], spikes, atol=1e-6)
