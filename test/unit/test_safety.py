from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import START_TOLERANCE, CheckedTrajectory, SafetyGate
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.slide import SLIDE

GATE = SafetyGate(UR5E)
MOTION = SLIDE.motion(np.array([1.2, 0.1]), UR5E)
STROKE = MOTION.trajectory
START = MOTION.start


@given(st.floats(0.6, 1.6), st.floats(-0.4, 0.4))
@settings(max_examples=40)
def test_every_motion_of_the_task_passes(speed, heading):
    motion = SLIDE.motion(np.array([speed, heading]), UR5E)
    home = point_to_point(UR5E, UR5E.home, motion.ready)
    approach = point_to_point(UR5E, motion.ready, motion.start, dwell=0.4)
    retreat = point_to_point(UR5E, motion.trajectory.positions[-1], motion.ready)
    for part in (home, approach, motion.trajectory, retreat):
        assert GATE.check(part, part.positions[0]).trajectory.duration == part.duration


def changed(**fields):
    return replace(STROKE, **fields)


def poked(name, row, column, value):
    array = getattr(STROKE, name).copy()
    array[row, column] = value
    return changed(**{name: array})


def jump(times, row):
    """Points at rest with a jump of 1 rad from ``row`` on, in at most 2 ms."""
    positions = np.tile(MOTION.ready, (len(times), 1))
    positions[row:, 0] += 1.0
    zero = np.zeros_like(positions)
    return replace(
        STROKE, times=np.array(times), positions=positions, velocities=zero, accelerations=zero
    )


def test_a_jump_between_two_checks_is_refused():
    for trajectory in (jump([0.0, 0.001], 1), jump([0.0, 0.0101, 0.0119, 0.02], 2)):
        with pytest.raises(MotionRefused, match="shoulder_pan_joint"):
            GATE.check(trajectory, MOTION.ready)


def test_a_motion_of_very_many_points_is_refused_before_it_costs_anything():
    times = np.linspace(0.0, 29.0, 1_000_000)
    zero = np.zeros((len(times), 6))
    still = replace(
        STROKE, times=times, positions=MOTION.ready + zero, velocities=zero, accelerations=zero
    )
    with pytest.raises(MotionRefused, match="at most 2000"):
        GATE.check(still, MOTION.ready)


@pytest.mark.parametrize(
    "change",
    [
        {"tool_speed": np.nan},
        {"velocity": np.full(6, np.inf)},
        {"acceleration": np.zeros(6)},
        {"upper": UR5E.limits.lower},
        {"workspace_lower": np.full(3, -np.inf)},
    ],
)
def test_limits_that_limit_nothing_cannot_be_made(change):
    with pytest.raises(ValueError, match="must be"):
        replace(UR5E.limits, **change)


REFUSED = {
    "nan position": (poked("positions", 5, 2, np.nan), "position of point 5 is not finite"),
    "infinite velocity": (poked("velocities", 3, 0, np.inf), "velocity of point 3"),
    "infinite acceleration": (poked("accelerations", 3, 0, -np.inf), "acceleration of point 3"),
    "ends moving": (poked("velocities", -1, 0, 4e-7), "starts and ends at rest"),
    "starts moving": (poked("velocities", 0, 0, 1e-9), "starts and ends at rest"),
    "too fast": (poked("velocities", 8, 1, 3.2), "velocity of shoulder_lift_joint"),
    "too hard": (poked("accelerations", 8, 1, -41.0), "acceleration of shoulder_lift_joint"),
    "out of range": (poked("positions", 8, 2, 3.2), "elbow_joint"),
    "time backwards": (changed(times=STROKE.times[::-1]), "times of a motion"),
    "time stands still": (changed(times=0 * STROKE.times), "times of a motion"),
    "time not from zero": (changed(times=STROKE.times + 0.1), "times of a motion"),
    "never ends": (changed(times=STROKE.times * 100), "at most 30 s"),
    "other joints": (changed(joints=STROKE.joints[::-1]), "motion is for joints"),
    "joint missing": (changed(positions=STROKE.positions[:, :5]), "2 points of 6 joints"),
    "one point": (
        replace(
            STROKE,
            times=STROKE.times[:1],
            positions=STROKE.positions[:1],
            velocities=STROKE.velocities[:1],
            accelerations=STROKE.accelerations[:1],
        ),
        "at least 2 points",
    ),
    "faster than the arm": (
        replace(
            STROKE,
            times=STROKE.times / 3,
            velocities=STROKE.velocities * 3,
            accelerations=STROKE.accelerations * 9,
        ),
        "velocity of shoulder_pan_joint",
    ),
}


@pytest.mark.parametrize(("trajectory", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_motions_are_refused_with_the_reason(trajectory, reason):
    with pytest.raises(MotionRefused) as caught:
        GATE.check(trajectory, START)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_start_must_be_where_the_arm_is():
    near = START + np.array([0.9 * START_TOLERANCE, 0, 0, 0, 0, 0])
    GATE.check(STROKE, near)
    long = np.array([*START, np.nan])
    for current in (START + 1.1 * START_TOLERANCE, START * np.nan, START[:5], long / 3.0):
        with pytest.raises(MotionRefused) as caught:
            GATE.check(STROKE, current)
        assert "\n" not in str(caught.value)


def test_the_tool_may_not_enter_the_table():
    below = UR5E.ik(SLIDE.strike.start - [0, 0, 0.004], UR5E.tool_pose(MOTION.start)[1])
    move = point_to_point(UR5E, MOTION.ready, below)
    with pytest.raises(MotionRefused, match="tool z reaches"):
        GATE.check(move, MOTION.ready)


def test_limits_are_checked_between_the_points():
    """Two points, both fine, whose quintic swings far outside."""
    velocities = np.zeros((3, 6))
    velocities[1, 0] = 3.0
    start = MOTION.ready
    wild = replace(
        STROKE,
        times=np.array([0.0, 0.1, 0.2]),
        positions=np.stack([start, start, start]),
        velocities=velocities,
        accelerations=np.zeros((3, 6)),
    )
    with pytest.raises(MotionRefused, match="shoulder_pan_joint"):
        GATE.check(wild, start)


def test_only_the_gate_makes_checked_trajectories_and_they_cannot_change():
    with pytest.raises(MotionRefused):
        CheckedTrajectory(STROKE)
    checked = GATE.check(STROKE, START)
    with pytest.raises(ValueError, match="read-only"):
        checked.trajectory.positions[0, 0] = 0.0
    with pytest.raises(MotionRefused):
        replace(checked, trajectory=STROKE)
