from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.primitives import Strike, point_to_point, strikes
from icpi_ros.motion.rest import RestDetector, RestRule
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.slide import SLIDE

speeds, headings = st.floats(0.6, 1.6), st.floats(-0.4, 0.4)


def stroke(speed, heading):
    return SLIDE.motion(np.array([speed, heading]), UR5E).trajectory


@given(speeds, headings)
@settings(max_examples=30)
def test_strike_stays_on_its_line_reaches_its_speed_and_ends_at_rest(speed, heading):
    motion = stroke(speed, heading)
    assert not motion.velocities[-1].any()
    assert not motion.velocities[0].any()
    q, qd, _ = motion.sample(np.linspace(0.0, motion.duration, 800))
    point, _ = UR5E.tool_pose(q)
    along = np.array([-np.sin(heading), np.cos(heading), 0.0])
    offset = point - SLIDE.strike.pivot
    np.testing.assert_allclose(offset - np.outer(offset @ along, along), 0.0, atol=1e-6)
    tool = (UR5E.jacobian(q)[:, :3] @ qd[..., None])[..., 0]
    assert np.linalg.norm(tool, axis=1).max() == pytest.approx(speed, rel=1e-3)


@given(speeds, headings)
@settings(max_examples=20)
def test_velocity_is_the_derivative_of_position(speed, heading):
    motion = stroke(speed, heading)
    times = np.linspace(0.01, motion.duration - 0.01, 50)
    step = 1e-5
    ahead, behind = motion.sample(times + step), motion.sample(times - step)
    _, qd, qdd = motion.sample(times)
    np.testing.assert_allclose((ahead[0] - behind[0]) / (2 * step), qd, atol=1e-5)
    np.testing.assert_allclose((ahead[1] - behind[1]) / (2 * step), qdd, atol=2e-1)


def test_sampling_holds_before_the_start_and_after_the_end():
    motion = stroke(1.0, 0.0)
    q, qd, qdd = motion.sample(np.array([-1.0, motion.duration + 1.0]))
    np.testing.assert_array_equal(q, motion.positions[[0, -1]])
    assert not qd.any()
    assert not qdd.any()


def test_a_motion_is_sampled_alike_whatever_is_kept_of_it_and_as_it_is_now():
    motion = SLIDE.motion(np.array([1.2, 0.1]), UR5E).trajectory
    kept = SafetyGate(UR5E).check(motion, motion.positions[0]).trajectory  # cannot change any more
    times = np.linspace(-0.1, motion.duration + 0.1, 300)
    whole = motion.sample(times)
    batch = TrajectoryBatch(
        motion.joints,
        *(rows[np.newaxis] for rows in (motion.times, motion.positions)),
        *(rows[np.newaxis] for rows in (motion.velocities, motion.accelerations)),
    )
    for ours, theirs in zip(whole, batch.sample(times), strict=False):
        np.testing.assert_array_equal(ours, theirs[0])
    for few in (times[:1], times[40:43], times):  # of few segments, and of all
        rows = np.searchsorted(times, few)
        for one in (motion, kept):
            for ours, theirs in zip(one.sample(few), whole, strict=True):
                np.testing.assert_array_equal(ours, theirs[rows])
    motion.positions[:] += 0.5
    np.testing.assert_allclose(motion.sample(times)[0], whole[0] + 0.5, atol=1e-12)


def test_strike_out_of_reach_says_so():
    far = Strike(np.array([0.6, 0.3, 0.01]), np.array([0.6, 0.4, 0.01]), 0.5, 8.0)
    with pytest.raises(MotionRefused, match="leaves the reach of ur5e"):
        strikes(UR5E, far, np.array([1.0]), np.array([0.0]))


def test_point_to_point_keeps_its_share_of_the_limits():
    goal = UR5E.home + np.array([1.0, -0.4, 0.3, 0.0, 0.0, 0.7])
    move = point_to_point(UR5E, UR5E.home, goal, speed_scale=0.25, dwell=0.3)
    q, qd, qdd = move.sample(np.linspace(0.0, move.duration, 500))
    np.testing.assert_allclose(q[-1], goal)
    assert np.abs(qd).max() <= 0.25 * UR5E.limits.velocity[0] * 1.001
    assert np.abs(qdd).max() <= 0.25**2 * UR5E.limits.acceleration[0] * 1.001
    assert not qd[np.linspace(0.0, move.duration, 500) > move.duration - 0.3].any()


@given(speeds, headings, st.floats(0.0, 1.0))
@settings(max_examples=50)
def test_stop_brakes_on_the_path_within_the_limits(speed, heading, share):
    motion = stroke(speed, heading)
    elapsed = share * motion.duration
    stop = controlled_stop(motion, elapsed, UR5E.limits)
    SafetyGate(UR5E).check_stop(stop, motion.at(elapsed))
    q, qd, qdd = stop.sample(np.linspace(0.0, stop.duration, 300))
    start, velocity, _ = motion.sample(np.array([elapsed]))
    np.testing.assert_allclose(q[0], start[0], atol=1e-9)
    np.testing.assert_allclose(qd[0], velocity[0], atol=1e-9)
    assert not stop.velocities[-1].any()
    assert stop.duration <= 0.09
    assert (np.abs(qdd) <= UR5E.limits.acceleration).all()
    height = UR5E.tool_pose(q)[0][:, 2]
    np.testing.assert_allclose(height, SLIDE.strike.pivot[2], atol=1e-4)


def test_an_arm_too_weak_to_brake_early_still_ends_at_rest_on_the_path():
    motion = stroke(1.6, 0.0)
    weak = replace(UR5E.limits, acceleration=np.full(6, 2.0))
    stop = controlled_stop(motion, 0.2, weak)
    own = np.abs(motion.sample(np.linspace(0.2, motion.duration, 400))[2]).max()
    assert np.abs(stop.sample(np.linspace(0.0, stop.duration, 400))[2]).max() <= 1.1 * own
    path = motion.sample(np.linspace(0.2, motion.duration, 4000))[0]
    assert np.abs(path - stop.positions[-1]).max(axis=1).min() <= 1e-3
    assert not stop.velocities[-1].any()


@pytest.mark.parametrize("elapsed", [np.nan, np.inf, -0.1])
def test_a_stop_at_no_time_of_the_motion_is_an_error(elapsed):
    with pytest.raises(ValueError, match="not a time"):
        controlled_stop(stroke(1.0, 0.0), elapsed, UR5E.limits)


@pytest.mark.parametrize("rate", [60.0, 100.0, 240.0, 1000.0])
def test_rest_is_found_at_any_sample_rate(rate):
    detector = RestDetector(RULE)
    assert any(detector.update(i / rate, np.zeros(3)) for i in range(int(rate)))


RULE = RestRule(speed=0.01, window=0.1)


def slowing_path(stop_after: float) -> np.ndarray:
    times = 0.01 * np.arange(300)
    s = np.minimum(times, stop_after)
    distance = 0.5 * s - 0.25 * s**2 / stop_after
    return np.stack([np.zeros_like(s), distance, np.zeros_like(s)], axis=1)


@given(st.floats(0.3, 2.0))
def test_rest_is_found_once_and_alike_in_batch_and_stream(stop_after):
    path = slowing_path(stop_after)
    found = int(RULE.first_rest(path[None])[0])
    assert abs(0.01 * found - stop_after) <= RULE.window + 0.02
    detector = RestDetector(RULE)
    states = [detector.update(0.01 * i, p) for i, p in enumerate(path)]
    assert states.index(True) == found
    assert all(states[found:])


def test_a_moving_object_never_rests_and_a_late_start_counts_from_there():
    moving = slowing_path(2.9)[:200]
    assert RULE.first_rest(moving[None])[0] == -1
    still = np.zeros((1, 100, 3))
    assert RULE.first_rest(still, start=40)[0] == 40 + RULE.samples


def test_detector_ignores_repeats_and_forgets_when_the_clock_jumps_back():
    detector = RestDetector(RULE)
    states = [detector.update(0.01 * i, np.zeros(3)) for i in range(20)]
    assert states[-1]
    assert not detector.update(0.19, np.zeros(3))
    assert not detector.update(-5.0, np.zeros(3))
