"""What `icpi bench-stop` makes of its measurements."""

import numpy as np
import pytest
from icpi_benchmarks.stopping.controllers import HeardStop, dialects
from icpi_benchmarks.stopping.latency import Press, Stop, effort, kept, summary, text

from icpi_ros.motion.carried_stop import carried_stop
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

ARM, TASK = ARMS.get("ur5e"), TASKS.get("slide")


def stop(deceleration, held=False):
    return Stop("cancel", "stroke", 1.0, deceleration, 2.0 * deceleration, 0.5, held)


def test_the_summary_has_median_p99_and_most():
    rows = summary([stop(0.001 * n) for n in range(1, 102)], missed=3)
    assert rows["deceleration"] == pytest.approx({"median": 0.051, "p99": 0.1, "max": 0.101})
    assert (rows["stops"], rows["missed"], rows["held"]) == (101, 3, 0)
    assert "median 51.0 ms  p99 100.0 ms  max 101.0 ms" in text(rows)


def test_latency_is_stated_beside_a_bare_cancel():
    rows = summary([stop(0.01)] * 3, 0, cancels=[0.004, 0.005, 0.006])
    assert "median 2.0 (3 allowed), p99 2.0 (8 allowed)" in text(rows)
    assert kept(rows)
    assert not kept(summary([stop(0.016)] * 3, 0, cancels=[0.005] * 3))
    assert not kept(summary([stop(0.01, held=True)], 0, cancels=[0.005]))


def test_the_command_has_a_target_of_its_own():
    cheap, dear = (summary([stop(0.01)], 0, presses=[Press(t, 0.5, 0.6)] * 3) for t in (0.2, 0.31))
    assert (kept(cheap), kept(dear)) == (True, False)
    assert "icpi stop, 3 times" in text(cheap)
    assert "median 200.0 ms  p99 200.0 ms  max 200.0 ms (median 300 allowed)" in text(cheap)
    assert "icpi stop" not in text(summary([stop(0.01)], 0))


def test_every_dialect_commands_a_stop_smoothly_and_none_does_without_its_path():
    stroke = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    found = carried_stop(SafetyGate(ARM), stroke, 0.3)
    start = 7_000_000_000
    heard = HeardStop(
        stroke,
        start,
        found.checked.trajectory,
        start + round(found.first * 1e9),
        start + 275_000_000,
    )
    assert heard.begin == pytest.approx(0.3, abs=1e-6)
    rows = dialects([heard], ARM.limits)
    assert len(rows) == 10
    for row in rows:
        assert row["share"] <= 1.05
        assert row["joined_acceleration"] > 3.0 * row["acceleration"] or row["rate"] < 125.0
    assert "1000 Hz  measured" in text(summary([stop(0.01)], 0, smooth=rows))


def test_held_stops_are_counted():
    assert summary([stop(0.01), stop(0.01, held=True)], 0)["held"] == 1


def test_the_effort_of_a_stop_is_a_share_of_the_limit():
    stroke = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    braking = controlled_stop(stroke, 0.3, ARM.limits)
    share = effort(braking, ARM.limits)
    assert 0.8 < share <= 1.0
    doubled = JointTrajectory(
        braking.joints,
        braking.times / 2.0,
        braking.positions,
        2.0 * braking.velocities,
        4.0 * braking.accelerations,
    )
    assert effort(doubled, ARM.limits) == pytest.approx(4.0 * share, rel=1e-2)


def test_a_hold_has_no_effort_of_its_own():
    zero = np.zeros((1, 6))
    assert effort(JointTrajectory(ARM.joints, np.array([0.2]), zero, zero, zero), ARM.limits) == 0.0
