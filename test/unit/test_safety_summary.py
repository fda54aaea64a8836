import numpy as np
import pytest
from independent_check import peaks, tool_peak, tool_speed

from icpi_ros.core.errors import InvalidValue, MotionRefused
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.summary import summarise, tool_path
from icpi_ros.motion.trajectory import slowed
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.slide import SLIDE

GATE = SafetyGate(UR5E)
MOTION = SLIDE.motion(np.array([1.4, 0.1]), UR5E)


def summary(motion, gate=GATE):
    return summarise(gate.check(motion, motion.positions[0]), gate)


def test_the_summary_holds_the_peaks_of_the_motion():
    found = summary(MOTION.trajectory)
    _, (slow, fast), (brake, push) = peaks(MOTION.trajectory)
    speeds, accelerations = np.maximum(-slow, fast), np.maximum(-brake, push)
    assert found.duration == MOTION.trajectory.duration
    # Two joints share the peak, turning against each other.
    assert speeds[UR5E.joints.index(found.speed.joint)] == pytest.approx(speeds.max(), rel=1e-9)
    assert found.speed.value == pytest.approx(speeds.max(), rel=1e-9)
    assert found.speed.share == pytest.approx(speeds.max() / np.pi, rel=1e-9)
    assert found.acceleration.share == pytest.approx(accelerations.max() / 40.0, rel=1e-9)
    assert found.tool_speed == pytest.approx(
        tool_peak(MOTION.trajectory, tool_speed(UR5E)), rel=1e-4
    )
    assert found.tool_energy == pytest.approx(0.15 * 1.4**2, rel=1e-3)
    assert found.tool_height == pytest.approx(SLIDE.strike.pivot[2], abs=1e-6)
    assert 0.01 < found.clearance < 1.0
    assert len(found.nearest) == 2
    text = found.lines()
    assert "tool speed up to 1.40 m/s, energy up to 0.29 J" in text
    assert all("\n" not in line for line in text)


def test_half_the_speed_is_half_the_share_of_the_gates_own_limits():
    whole, half = summary(MOTION.trajectory), summary(slowed(MOTION.trajectory, 0.5))
    assert half.speed.share == pytest.approx(0.5 * whole.speed.share)
    assert half.acceleration.share == pytest.approx(0.25 * whole.acceleration.share)
    tight = SafetyGate(UR5E, UR5E.limits.tightened({"velocity": 2.5}, UR5E.joints))
    assert summary(MOTION.trajectory, tight).speed.share == pytest.approx(whole.speed.value / 2.5)


def test_the_tools_path_has_both_ends():
    path = tool_path(MOTION.trajectory, UR5E, 0.01)
    ends = UR5E.tool_pose(MOTION.trajectory.positions[[0, -1]])[0]
    np.testing.assert_allclose(path[[0, -1]], ends, atol=1e-9)
    assert len(path) == int(np.ceil(MOTION.trajectory.duration / 0.01)) + 1
    for step in (0.0, -1.0, 1e-9, np.nan):
        with pytest.raises(InvalidValue, match="step"):
            tool_path(MOTION.trajectory, UR5E, step)


def test_an_arm_may_not_come_too_near_to_itself():
    start = np.array([3.0, -1.6, -2.0, 0.0, 0.0, 0.0])
    goal = np.array([3.0, -1.6, -3.1, 0.0, 0.0, 0.0])
    folded = point_to_point(UR5E, start, goal, 0.8)
    with pytest.raises(MotionRefused, match=r"come within .* of each other: allowed at least 0.01"):
        GATE.check(folded, start)
    SafetyGate(UR5E).check(point_to_point(UR5E, start, start + 0.1, 0.8), start)
