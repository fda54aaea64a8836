"""Stops of checked motions: they pass the gate, start on the path and end at rest."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from independent_check import peaks

from icpi_ros.core.errors import InvalidValue, MotionRefused
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop, rest_of, safe_stop
from icpi_ros.motion.trajectory import JointTrajectory, slowed
from icpi_ros.robots import ARMS
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.slide import SLIDE

pytestmark = pytest.mark.slow

GATE = SafetyGate(UR5E)
STROKE = SLIDE.motion(np.array([1.4, 0.1]), UR5E).trajectory
LEAD = 0.01
SETTLED = 0.1
"""No stop of a motion of the tasks takes longer [s]."""


def motions(task, arm, rng):
    motion = task.motion(task.space.sample(rng), arm)
    scale = rng.uniform(0.1, 0.99)
    yield motion.trajectory
    yield slowed(motion.trajectory, scale)
    yield point_to_point(arm, arm.home, motion.ready, scale)
    yield point_to_point(arm, motion.trajectory.positions[-1], motion.ready, scale, dwell=0.3)


def own_motions():
    """Return one task of each kind of motions: slide, slide-gc and edge-gc have the same."""
    found = {}
    for task in map(TASKS.get, TASKS.names()):
        found.setdefault((type(task).trajectories, task.arm, task.space), task.name)
    return list(found.values())


@pytest.mark.parametrize("name", own_motions())
def test_the_gate_lets_every_stop_of_a_checked_motion_pass(name):
    task = TASKS.get(name)
    arm = ARMS.get(task.arm)
    gate, rng, seen = SafetyGate(arm), np.random.default_rng(2), Counter()
    for _ in range(8):
        for motion in motions(task, arm, rng):
            gate.check(motion, motion.positions[0])
            end = motion.duration
            for elapsed in (0.0, *rng.uniform(0.0, end, 4), end - 1e-5, end, end + 1.0):
                stop = controlled_stop(motion, elapsed, gate.limits, LEAD)
                gate.check_stop(stop, motion.at(elapsed + LEAD))
                assert not stop.velocities[-1].any()
                assert stop.duration <= SETTLED
                seen[name] += 1
    assert seen[name] == 8 * 4 * 8


def test_a_stop_starts_where_the_path_is():
    stop = controlled_stop(STROKE, 0.3, UR5E.limits)
    begin = STROKE.at(0.3)
    GATE.check_stop(stop, begin)
    for other in (
        replace(begin, position=begin.position + 1e-5),
        replace(begin, velocity=begin.velocity - 1e-5),
        STROKE.at(0.31),
    ):
        with pytest.raises(MotionRefused, match="a stop starts where the path is"):
            GATE.check_stop(stop, other)
    drifting = replace(STROKE, velocities=STROKE.velocities + 1e-9)
    with pytest.raises(MotionRefused, match="ends at rest"):
        GATE.check_stop(rest_of(drifting, 0.3), drifting.at(0.3))


def test_where_no_braking_passes_the_stop_is_the_rest_of_the_motion():
    """Limits that the motion just keeps: interpolation of a stop may not go beyond them."""
    (_, _, (lowest, highest)) = peaks(STROKE)
    most = max(-lowest.min(), highest.max()) + 1e-6
    gate = SafetyGate(UR5E, UR5E.limits.tightened({"acceleration": most}, UR5E.joints))
    gate.check(STROKE, STROKE.positions[0])
    rests = 0
    for elapsed in np.linspace(0.0, STROKE.duration, 41).tolist():
        stop = safe_stop(gate, STROKE, elapsed).trajectory
        assert not stop.velocities[-1].any()
        assert stop.duration <= STROKE.duration - elapsed + 0.03
        rests += np.array_equal(stop.positions, rest_of(STROKE, elapsed).positions)
    assert 1 <= rests <= 10


def test_the_rest_of_a_motion_follows_its_path():
    rest = rest_of(STROKE, 0.123)
    times = np.linspace(0.0, rest.duration, 500)
    for ours, path in zip(rest.sample(times), STROKE.sample(times + 0.123), strict=True):
        np.testing.assert_allclose(ours, path, atol=1e-6)
    GATE.check_stop(rest, STROKE.at(0.123))
    after = rest_of(STROKE, STROKE.duration + 1.0)
    np.testing.assert_array_equal(after.positions[0], STROKE.positions[-1])
    GATE.check_stop(after, STROKE.at(STROKE.duration + 1.0))


def random_valid(gate, arm, rng):
    """A motion of random points that the gate accepts, near the arm's limits."""
    for _ in range(200):
        count = int(rng.integers(3, 9))
        times = np.concatenate([[0.0], np.cumsum(rng.uniform(0.05, 0.3, count - 1))])
        positions = arm.home + np.cumsum(0.03 * rng.standard_normal((count, 6)), axis=0)
        velocities = 0.6 * rng.standard_normal((count, 6))
        velocities[[0, -1]] = 0.0
        accelerations = 4.0 * rng.standard_normal((count, 6))
        motion = JointTrajectory(arm.joints, times, positions, velocities, accelerations)
        try:
            gate.check(motion, positions[0])
        except MotionRefused:
            continue
        return motion
    pytest.fail("no random motion passes the gate")


def test_jerky_motions_near_their_limits_are_stopped_as_well():
    rng = np.random.default_rng(3)
    for _ in range(25):
        motion = random_valid(GATE, UR5E, rng)
        for elapsed in rng.uniform(0.0, motion.duration, 3):
            stop = safe_stop(GATE, motion, float(elapsed)).trajectory
            assert not stop.velocities[-1].any()
            assert stop.duration <= motion.duration - elapsed + 0.03


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_a_slowed_motion_keeps_its_path_and_its_derivatives_are_exact(scale):
    slow = slowed(STROKE, scale)
    times = np.linspace(0.0, STROKE.duration, 400)
    q, qd, qdd = STROKE.sample(times)
    ours = slow.sample(times / scale)
    np.testing.assert_allclose(ours[0], q, atol=1e-9)
    np.testing.assert_allclose(ours[1], scale * qd, atol=1e-9)
    np.testing.assert_allclose(ours[2], scale**2 * qdd, atol=1e-6)
    GATE.check(slow, slow.positions[0])


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.01, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(InvalidValue, match="speed scale"):
        slowed(STROKE, scale)
