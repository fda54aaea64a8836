import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from struck_path import StruckPath

from icpi_ros.core.types import SECOND
from icpi_ros.perception.tracker import Tracker
from icpi_ros.perception.tracking_types import Detection, Rejection, TrackerSettings
from icpi_ros.tasks.plane import Plane
from icpi_ros.testing.synthetic_images import overhead

CAMERA, PLANE = overhead(320, 240), Plane.level(0.01)
STEP = SECOND // 60


def seen(at, score=0.95, std=0.05):
    """A detection of something at ``at`` ``(2,)`` [m] on the plane."""
    pixel = CAMERA.project(PLANE.lift(np.asarray(at, dtype=float))[np.newaxis])[0]
    return Detection(pixel, 110.0, 0.99, score, std)


def tracker(**changes):
    return Tracker(CAMERA, PLANE, TrackerSettings(**changes))


def settled(at=(0.6, 0.2), frames=10):
    """A tracker that has seen the object standing at ``at``, and the stamp of the next frame."""
    t = tracker()
    for k in range(frames):
        assert t.update(k * STEP, [seen(at)]).measured
    return t, frames * STEP


@pytest.mark.parametrize("rate", [30, 60, 600])
@pytest.mark.parametrize("push", [0.2, 0.02])
def test_a_struck_puck_is_followed_at_any_rate(rate, push):
    path, t, rng = StruckPath(push=push), tracker(), np.random.default_rng(0)
    off, fast, missed = [], [], 0
    for k in range(3 * rate):
        time = k / rate
        pixel_noise = 0.05 * rng.standard_normal(2)
        detection = seen(path.at(time))
        noisy = Detection(detection.pixel + pixel_noise, 110.0, 1.0, 0.95, 0.05)
        state = t.update(k * SECOND // rate, [noisy])
        missed += not state.measured
        if state.measured:
            off.append(np.linalg.norm(PLANE.flat(state.position) - path.at(time)))
            fast.append(np.linalg.norm(PLANE.flat(state.velocity) - path.velocity(time)))
    assert missed <= 0.03 * 3 * rate
    assert np.percentile(off, 95) < 2e-3
    assert np.median(fast) < 0.2


def test_a_jump_is_rejected_and_the_track_goes_on():
    t, stamp = settled()
    state = t.update(stamp, [seen((0.8, 0.4))])
    assert (state.measured, state.rejected) == (False, Rejection.JUMP)
    assert np.isnan(state.position).all()
    assert t.update(stamp + STEP, [seen((0.6, 0.2))]).measured


def test_of_several_candidates_the_nearest_one_is_taken():
    t, stamp = settled()
    near, far = seen((0.601, 0.2), score=0.6), seen((0.615, 0.21), score=0.99)
    state = t.update(stamp, [far, near])
    assert state.detection is near


def test_what_is_not_seen_has_no_position():
    t, stamp = settled()
    state = t.update(stamp, [])
    assert state.rejected is Rejection.NOTHING
    assert not state.measured
    for values in (state.position, state.velocity, state.covariance, state.point, state.std):
        assert np.isnan(values).all()


def test_a_look_alike_does_not_take_over_while_the_object_is_hidden():
    t = tracker()
    here, there = (0.6, 0.2), (0.7, 0.25)
    for k in range(20):
        t.update(k * STEP, [seen(here), seen(there, 0.85)])
    states = [t.update((20 + k) * STEP, [seen(there, 0.99)]) for k in range(60)]
    assert not any(s.measured for s in states)
    back = t.update(80 * STEP, [seen(there, 0.99), seen(here)])
    assert back.measured
    np.testing.assert_allclose(back.position[:2], here, atol=1e-3)


def test_a_lost_object_is_found_again_only_where_it_can_be_and_only_if_clear():
    t, stamp = settled()
    later = stamp + 6 * SECOND // 10
    assert t.update(later, [seen((0.7, 0.3), score=0.5)]).rejected is Rejection.DOUBTFUL
    slow = tracker(max_speed=0.1)
    slow.update(0, [seen((0.6, 0.2))])
    assert slow.update(SECOND, [seen((0.9, 0.4))]).rejected is Rejection.JUMP
    assert t.update(later + STEP, [seen((0.7, 0.3))]).measured


def test_two_equal_candidates_start_no_track_unless_one_is_expected():
    t = tracker()
    pair = [seen((0.6, 0.2), 0.95), seen((0.8, 0.4), 0.94)]
    assert t.update(0, pair).rejected is Rejection.AMBIGUOUS
    t.reset(near=np.array([0.8, 0.39, 0.01]))
    state = t.update(STEP, pair)
    np.testing.assert_allclose(state.position[:2], (0.8, 0.4), atol=1e-6)


def test_after_a_reset_the_object_may_be_anywhere():
    t, stamp = settled()
    t.reset()
    assert t.update(stamp, [seen((1.0, 0.6))]).measured


def test_a_frame_out_of_order_or_twice_is_left_out():
    t, stamp = settled()
    for old in (stamp - STEP, stamp - 5 * STEP):
        assert t.update(old, [seen((0.6, 0.2))]).rejected is Rejection.ORDER
    assert t.update(stamp, [seen((0.6, 0.2))]).measured


def test_a_clock_that_jumps_back_drops_the_track_once():
    t = tracker()
    for k in range(10):
        t.update(5 * SECOND + k * STEP, [seen((0.6, 0.2))])
    assert t.update(0, [seen((0.9, 0.5))]).rejected is Rejection.CLOCK
    assert t.expected(STEP) is None
    assert t.update(STEP, [seen((0.9, 0.5))]).measured


def test_a_frame_from_the_future_is_left_out_and_does_no_harm():
    t, stamp = settled()
    state = t.update(stamp + 9 * SECOND, [seen((0.6, 0.2))], now_ns=stamp)
    assert state.rejected is Rejection.FUTURE
    assert t.update(stamp, [seen((0.6, 0.2))], now_ns=stamp).measured


def test_the_search_region_grows_while_nothing_is_seen_and_then_goes():
    t, stamp = settled()
    reaches = [t.expected(stamp + k * STEP)[1] for k in (0, 5, 15)]
    assert reaches == sorted(reaches)
    assert t.expected(stamp + SECOND) is None
    pixel, _ = t.expected(stamp)
    np.testing.assert_allclose(pixel, seen((0.6, 0.2)).pixel, atol=0.2)


def test_a_detection_above_the_horizon_is_no_measurement():
    t = tracker()
    nowhere = Detection(np.array([np.nan, 3.0]), 100.0, 1.0, 0.9, 0.05)
    assert t.update(0, [nowhere]).rejected is Rejection.NOTHING


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-2 * SECOND, 2 * SECOND),
            st.lists(
                st.tuples(st.floats(0.2, 1.0), st.floats(-0.2, 0.7), st.floats(0.0, 1.0)),
                max_size=3,
            ),
        ),
        max_size=30,
    )
)
def test_a_position_is_always_near_a_detection_of_its_own_frame(frames):
    t, stamp = tracker(), 10 * SECOND
    for step, places in frames:
        stamp += step
        state = t.update(stamp, [seen((x, y), score) for x, y, score in places])
        assert state.measured == (state.rejected is Rejection.NO)
        assert state.measured == bool(np.isfinite(state.position).all())
        if state.measured:
            off = [np.hypot(state.position[0] - x, state.position[1] - y) for x, y, _ in places]
            assert min(off) < 5e-3
            assert (np.linalg.eigvalsh(state.covariance) > -1e-12).all()


@pytest.mark.parametrize(("absent", "believed"), [(1.0, False), (3.0, True)])
def test_the_object_may_be_put_where_a_look_alike_was_long_ago(absent, believed):
    there = (0.75, 0.35)
    t, stamp = settled()
    assert t.update(stamp, [seen((0.6, 0.2)), seen(there)]).measured
    for _ in range(round(absent * 60)):
        stamp += STEP
        assert t.update(stamp, [seen((0.6, 0.2))]).measured
    for _ in range(60):  # it is carried
        stamp += STEP
        assert not t.update(stamp, []).measured
    assert t.update(stamp + STEP, [seen(there)]).measured == believed


def test_a_look_alike_that_stays_is_never_forgotten():
    there = (0.75, 0.35)
    t, stamp = settled()
    for k in range(600):
        stamp += STEP
        both = [seen((0.6, 0.2)), seen(there)]
        assert t.update(stamp, both if k % 15 == 0 else both[:1]).measured
    for _ in range(600):  # the object is hidden
        stamp += STEP
        assert not t.update(stamp, [seen(there)]).measured
    assert t.update(stamp + STEP, [seen(there), seen((0.6, 0.2))]).measured
