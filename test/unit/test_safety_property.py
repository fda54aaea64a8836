"""1,000 adversarial motions and the valid ones of every task, judged by the gate and by a
second opinion that shares no code with it.

ICPI_ADVERSARIAL sets their number: 100,000 at night (half an hour).
"""

import os
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from independent_check import peaks, tool_peak, tool_speed, violation

from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import MIN_SEGMENT, START_TOLERANCE, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory, slowed
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

pytestmark = pytest.mark.slow

GRAZE = 1e-6
MOTIONS = int(os.environ.get("ICPI_ADVERSARIAL", "1000"))


@cache
def gate_of(name):
    return SafetyGate(ARMS.get(name))


def check_one_line(reason):
    assert len(reason.splitlines()) == 1, reason


def passes(gate, motion, current):
    try:
        checked = gate.check(motion, current).trajectory
    except MotionRefused as exc:
        check_one_line(str(exc))
        return False
    np.testing.assert_array_equal(checked.positions, motion.positions)
    return True


def moves(task, arm, theta, scale):
    """All motions of one trial, slow ones at ``scale``."""
    motion = task.motion(theta, arm)
    return (
        motion.trajectory,
        slowed(motion.trajectory, scale),
        point_to_point(arm, arm.home, motion.ready, scale),
        point_to_point(arm, motion.ready, motion.start, scale, dwell=0.3),
        point_to_point(arm, motion.trajectory.positions[-1], motion.ready, scale),
    )


def random_motion(rng):
    """One motion of one task that is known to be valid, with its arm."""
    task = TASKS.get(rng.choice(TASKS.names()))
    arm = ARMS.get(task.arm)
    several = moves(task, arm, task.space.sample(rng), rng.uniform(0.5, 0.99))
    return arm, several[rng.choice([0, 0, 0, 1, 2, 3, 4])]


# What can be wrong: each returns (arm, motion, current) of a motion that may be bad, with
# ``True`` in the end if it is bad for certain.


def theta_anywhere(rng):
    task = TASKS.get(rng.choice(TASKS.names()))
    arm, middle = ARMS.get(task.arm), 0.5 * (task.space.lower + task.space.upper)
    theta = middle + rng.uniform(-3.0, 3.0, task.space.dim) * task.space.half_range
    theta[0] = abs(theta[0]) + 0.05
    motion = task.motion(theta, arm)
    return arm, motion.trajectory, motion.start, False


def not_finite(rng):
    arm, motion = random_motion(rng)
    name = rng.choice(["times", "positions", "velocities", "accelerations"])
    array = getattr(motion, name).copy()
    array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
    return arm, replace(motion, **{name: array}), motion.positions[0], True


def other_start(rng):
    arm, motion = random_motion(rng)
    current = motion.positions[0].copy()
    away = START_TOLERANCE + rng.choice([GRAZE, 1e-3, 0.5])
    current[rng.integers(len(current))] += rng.choice([-1, 1]) * away
    return arm, motion, current, True


def moving_ends(rng):
    arm, motion = random_motion(rng)
    velocities = motion.velocities.copy()
    row = rng.choice([0, -1])
    velocities[row, rng.integers(len(arm.joints))] = rng.choice([-1, 1]) * 10 ** rng.uniform(-12, 0)
    return arm, replace(motion, velocities=velocities), motion.positions[0], True


def noisy(rng):
    arm, motion = random_motion(rng)
    name = rng.choice(["positions", "velocities", "accelerations"])
    array = getattr(motion, name).copy()
    array[1:-1] += 10 ** rng.uniform(-6, 0.5) * rng.standard_normal(array[1:-1].shape)
    return arm, replace(motion, **{name: array}), motion.positions[0], False


def swapped_points(rng):
    arm, motion = random_motion(rng)
    order = np.arange(len(motion.times))
    a, b = rng.choice(order, 2, replace=False)
    order[[a, b]] = order[[b, a]]
    swapped = {n: getattr(motion, n)[order] for n in ("positions", "velocities", "accelerations")}
    return arm, replace(motion, **swapped), swapped["positions"][0], False


def time_reversed(rng):
    arm, motion = random_motion(rng)
    return arm, replace(motion, times=motion.times[::-1]), motion.positions[0], True


def backwards(rng):
    """The same path the other way round; the derivatives are sometimes forgotten."""
    arm, motion = random_motion(rng)
    sign = rng.choice([-1.0, 1.0])
    reverse = JointTrajectory(
        motion.joints,
        motion.duration - motion.times[::-1],
        motion.positions[::-1],
        sign * motion.velocities[::-1],
        motion.accelerations[::-1],
    )
    return arm, reverse, reverse.positions[0], False


def other_speed(rng):
    arm, motion = random_motion(rng)
    rate = rng.uniform(0.8, 5.0)
    faster = replace(
        motion,
        times=motion.times / rate,
        velocities=motion.velocities * rate,
        accelerations=motion.accelerations * rate**2,
    )
    return arm, faster, motion.positions[0], False


def only_times_scaled(rng):
    arm, motion = random_motion(rng)
    scaled = replace(motion, times=motion.times * rng.uniform(0.2, 3.0))
    return arm, scaled, motion.positions[0], False


def bad_times(rng):
    arm, motion = random_motion(rng)
    times = motion.times.copy()
    kind = rng.integers(5)
    row = rng.integers(1, len(times))
    if kind == 0:
        times[row] = times[row - 1]
    elif kind == 1:
        times = times + 10 ** rng.uniform(-12, 0)
    elif kind == 2:
        times = times * (30.0 + GRAZE) / times[-1]
    elif kind == 3:
        times[row:] += times[row - 1] - times[row] + 0.99 * MIN_SEGMENT
    else:
        times = -times
    return arm, replace(motion, times=times), motion.positions[0], True


def wrong_joints(rng):
    arm, motion = random_motion(rng)
    changes = (
        {"joints": motion.joints[::-1]},
        {"joints": motion.joints[:-1]},
        {"joints": ("other", *motion.joints[1:])},
        {"positions": motion.positions[:, :-1]},
        {"velocities": motion.velocities[:-1]},
        {"accelerations": np.hstack([motion.accelerations, motion.accelerations])},
        {"times": motion.times[:, None]},
    )
    return arm, replace(motion, **changes[rng.integers(len(changes))]), motion.positions[0], True


def anywhere(rng):
    """A smooth move between two poses: through the table, out of the box, into the arm."""
    arm = ARMS.get(rng.choice(ARMS.names()))
    size = rng.choice([0.5, 1.5, 3.0])
    goal = arm.home + rng.uniform(-size, size, len(arm.joints))
    return arm, point_to_point(arm, arm.home, goal, rng.uniform(0.5, 0.99)), arm.home, False


def folding(rng):
    """Upright, the elbow folds up as far as it goes, with the wrist anywhere."""
    arm, side = ARMS.get("ur5e"), rng.choice([-1.0, 1.0])
    start = np.array([rng.uniform(2.0, 4.0), -1.6, 2.0 * side, *rng.uniform(-2.0, 2.0, 3)])
    goal = start + np.array([0, 0, side * rng.uniform(0.5, 1.1), *rng.uniform(-2.5, 2.5, 3)])
    return arm, point_to_point(arm, start, goal, rng.uniform(0.5, 0.99)), start, False


def wild(rng):
    """Points near each other with any velocity and acceleration in between."""
    arm, count = ARMS.get(rng.choice(ARMS.names())), int(rng.integers(2, 12))
    n, size = len(arm.joints), 10 ** rng.uniform(-2, 0.5)
    times = np.concatenate([[0.0], np.cumsum(rng.uniform(0.01, 0.4, count - 1))])
    positions = arm.home + np.cumsum(0.05 * size * rng.standard_normal((count, n)), axis=0)
    velocities = size * rng.standard_normal((count, n))
    velocities[[0, -1]] = 0.0
    accelerations = 5.0 * size * rng.standard_normal((count, n))
    motion = JointTrajectory(arm.joints, times, positions, velocities, accelerations)
    return arm, motion, positions[0], False


KINDS = (
    theta_anywhere, not_finite, other_start, moving_ends, noisy, swapped_points, time_reversed,
    backwards, other_speed, only_times_scaled, bad_times, wrong_joints, anywhere, folding,
    wild,
)  # fmt: skip
PER_KIND = MOTIONS // len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_motion_that_violates_a_limit_passes(kind):
    rng = np.random.default_rng([7, KINDS.index(kind)])
    verdicts = Counter()
    for _ in range(PER_KIND):
        try:
            arm, motion, current, certain = kind(rng)
        except MotionRefused:
            verdicts["cannot be planned"] += 1
            continue
        if not passes(gate_of(arm.name), motion, current):
            verdicts["refused"] += 1
            continue
        assert not certain
        assert violation(motion, arm, arm.limits, current) is None
        verdicts["passed"] += 1
    assert sum(verdicts.values()) == PER_KIND
    assert verdicts["refused"] >= PER_KIND // 10, verdicts


def grazes(rng):
    """A valid motion, and one limit that it just reaches: key, value, where the arm may be."""
    arm, motion = random_motion(rng)
    if not np.ptp(motion.positions, axis=0).any():  # home is where the rope's motion is approached
        motion = TASKS.get("rope-swing").motion(np.array([2.0, -2.0, -1.5]), arm).trajectory
    quantity = rng.integers(5)
    j = int(rng.integers(len(arm.joints)))
    if quantity < 3:
        lowest, highest = peaks(motion)[quantity]
        if quantity == 0:
            key, at = ("lower", lowest) if rng.random() < 0.5 else ("upper", highest)
        else:
            j = int(np.argmax(np.maximum(-lowest, highest)))
            key, at = ("", "velocity", "acceleration")[quantity], np.maximum(-lowest, highest)
        own = getattr(arm.limits, key).copy()
        own[j] = at[j]
        return arm, motion, key, own, np.eye(len(own))[j]
    if quantity == 3:
        return arm, motion, "tool_speed", tool_peak(motion, tool_speed(arm)), 1.0
    axis, side = int(rng.integers(3)), rng.choice([-1.0, 1.0])
    reach = side * tool_peak(motion, lambda q, qd: side * arm.tool_pose(q)[0][:, axis])
    key = "workspace_upper" if side > 0 else "workspace_lower"
    own = getattr(arm.limits, key).copy()
    own[axis] = reach
    return arm, motion, key, own, np.eye(3)[axis]


def test_a_limit_grazed_from_above_is_refused_and_from_below_accepted():
    rng = np.random.default_rng(11)
    seen = Counter()
    for _ in range(2 * PER_KIND):
        arm, motion, key, at, which = grazes(rng)
        tighter = -1.0 if key in ("lower", "workspace_lower") else 1.0
        below = {key: at + tighter * GRAZE * which}
        above = {key: at - tighter * GRAZE * which}
        enough = SafetyGate(arm, arm.limits.tightened(below, arm.joints))
        assert passes(enough, motion, motion.positions[0]), key
        short = SafetyGate(arm, arm.limits.tightened(above, arm.joints))
        assert not passes(short, motion, motion.positions[0]), key
        seen[key] += 1
    assert len(seen) == 7, seen


def test_no_valid_motion_is_refused():
    rng, checked, wrongly = np.random.default_rng(5), 0, []
    for name in TASKS.names():
        task = TASKS.get(name)
        arm = ARMS.get(task.arm)
        for theta in task.space.sample(rng, 14):
            for i, motion in enumerate(moves(task, arm, theta, rng.uniform(0.3, 0.99))):
                checked += 1
                if not passes(gate_of(arm.name), motion, motion.positions[0]):
                    wrongly.append((name, theta, i))
                elif checked % 5 == 0:
                    assert violation(motion, arm, arm.limits, motion.positions[0]) is None
    assert checked >= 300
    assert wrongly == []
