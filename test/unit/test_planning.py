"""What the executor would do with a theta under its rules."""

import numpy as np
import pytest

from icpi_ros.core.errors import Kind, MotionRefused
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.following.memory import MAX_RUNS, NEAR, RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.tasks.slide import SLIDE

THETA = np.array([1.0, 0.1])


def planner(memory=None, task=SLIDE, gate=None, **rules):
    gate = gate or SafetyGate(UR5E)
    return Planner(task, UR5E, gate, ExecutorRules(**rules), memory or RunMemory())


def tight(**limits):
    return SafetyGate(UR5E, UR5E.limits.tightened(limits, UR5E.joints))


def test_without_rules_a_plan_is_the_task_s_motion():
    make = planner()
    plan = make.plan(THETA, "run")
    stroke = SLIDE.motion(THETA, UR5E).trajectory
    assert (plan.slow_scale, plan.stroke_scale, plan.rehearsal, plan.dtheta) == (1, 1, None, None)
    np.testing.assert_array_equal(plan.motion.trajectory.times, stroke.times)
    np.testing.assert_array_equal(plan.motion.trajectory.positions, stroke.positions)
    ends = UR5E.tool_pose(stroke.positions[[0, -1]])[0]
    stroke = make.shown(plan, UR5E.home).shown[-1]
    assert stroke.label == "stroke"
    np.testing.assert_allclose(stroke.path[[0, -1]], ends, atol=1e-9)
    assert stroke.summary.tool_speed == pytest.approx(1.0, abs=0.01)


def test_the_ramp_rises_with_the_executions_of_the_run_alone():
    memory = RunMemory()
    make = planner(memory, ramp_trials=2, ramp_scale=0.4, rehearse=True)
    seen = []
    for _ in range(3):
        plan = make.plan(THETA, "run")
        slow = None if plan.rehearsal is None else plan.rehearsal.duration
        seen.append((plan.slow_scale, slow))
        memory.add("run", plan.theta)
    stroke = SLIDE.motion(THETA, UR5E).trajectory.duration
    assert [scale for scale, _ in seen] == pytest.approx([0.4, 0.7, 1.0])
    assert seen[0][1] == pytest.approx(stroke / 0.4)
    assert seen[2][1] is None
    assert make.plan(THETA, "another").slow_scale == 0.4


def test_a_stroke_whose_speed_does_not_matter_is_ramped_itself(monkeypatch):
    monkeypatch.setattr(type(SLIDE), "scalable", True)
    plan = planner(ramp_trials=1, ramp_scale=0.5, rehearse=True).plan(THETA, "run")
    assert plan.stroke_scale == 0.5
    assert plan.rehearsal is None
    assert plan.motion.trajectory.duration == pytest.approx(
        2 * SLIDE.motion(THETA, UR5E).trajectory.duration
    )


def test_steps_are_counted_from_any_theta_of_the_run():
    memory = RunMemory()
    make = planner(memory, max_step=0.3)
    make.plan(np.array([0.7, 0.0]), "run")
    memory.add("run", np.array([0.7, 0.0]))
    with pytest.raises(MotionRefused, match=r"max_step 0\.3"):
        make.plan(np.array([1.2, 0.0]), "run")
    memory.add("run", np.array([1.0, 0.0]))
    plan = make.plan(np.array([1.2, 0.05]), "run")
    np.testing.assert_allclose(plan.dtheta, [0.2, 0.05])
    np.testing.assert_allclose(plan.step_bounds, [[0.7, -0.24], [1.3, 0.24]])


def test_the_memory_is_bounded_and_forgets_the_oldest_run():
    memory = RunMemory()
    for number in range(MAX_RUNS + 1):
        memory.add(str(number), THETA)
    assert memory.executed("0") == []
    assert len(memory.executed(str(MAX_RUNS))) == 1


def test_a_puck_beside_its_place_is_named_with_its_distance():
    assert SLIDE.misplaced(np.array([0.605, -0.15, 0.01])) == ""
    text = SLIDE.misplaced(np.array([0.6, -0.12, 0.01]))
    assert "30 mm from its place" in text


def test_all_motions_are_shown_in_their_order_each_from_where_the_last_ends():
    make = planner(ramp_trials=2, ramp_scale=0.4, rehearse=True, speed_scale=0.5)
    plan = make.shown(make.plan(THETA, "run"), UR5E.home)
    labels = [one.label for one in plan.shown]
    assert labels == ["retreat", "approach", "rehearsal", "retreat", "approach", "stroke"]
    ready, start = (UR5E.tool_pose(q)[0] for q in (plan.motion.ready, plan.motion.start))
    ends = UR5E.tool_pose(plan.motion.trajectory.positions[[-1]])[0][0]
    home = UR5E.tool_pose(UR5E.home)[0]
    corners = [(home, ready), (ready, start), (start, ends)] * 2
    corners[3:] = [(ends, ready), (ready, start), (start, ends)]
    for one, (begin, end) in zip(plan.shown, corners, strict=True):
        np.testing.assert_allclose(one.path[[0, -1]], [begin, end], atol=1e-9)
    usual = planner(speed_scale=0.5)
    fast = usual.shown(usual.plan(THETA, "run"), UR5E.home)
    assert [one.label for one in fast.shown] == ["retreat", "approach", "stroke"]
    for slow, same in zip((plan.shown[0], plan.shown[1]), fast.shown, strict=False):
        assert slow.summary.speed.share == pytest.approx(0.4 * same.summary.speed.share, rel=1e-6)
        np.testing.assert_allclose(slow.summary.tool_height, same.summary.tool_height, atol=1e-6)
    rehearsal, stroke = plan.shown[2].summary, plan.shown[5].summary
    assert rehearsal.tool_speed == pytest.approx(0.4 * stroke.tool_speed, rel=1e-6)
    assert max(len(one.path) for one in plan.shown) < 250


def test_an_arm_that_stands_in_its_place_is_shown_no_retreat():
    make = planner()
    plan = make.plan(THETA, "run")
    shown = make.shown(plan, plan.motion.ready).shown
    assert [one.label for one in shown] == ["approach", "stroke"]


def test_a_slow_move_that_breaks_a_limit_is_refused_before_anybody_is_asked():
    make = planner(gate=tight(velocity=3.0), speed_scale=1.0)
    plan = make.plan(THETA, "run")
    with pytest.raises(MotionRefused, match=r"^retreat: velocity of .* reaches -3\.14"):
        make.shown(plan, plan.motion.ready + np.array([1.5, 0, 0, 0, 0, 0]))
    make = planner()
    below_the_table = UR5E.home + np.array([0.0, 0.75, 0.6, 0.0, 0.0, 0.0])
    with pytest.raises(MotionRefused, match=r"^retreat: .* reaches -0\."):
        make.shown(plan, below_the_table)


def test_a_slow_move_from_elsewhere_is_another_one():
    make = planner()
    plan = make.plan(THETA, "run")
    assert make.moved(plan, UR5E.home + 9.0) is None  # it was not shown
    plan = make.shown(plan, UR5E.home)
    near = 0.999 * NEAR * np.array([1, -1, 0, 0, 0.5, 0])
    assert make.moved(plan, UR5E.home + near) is None
    far = make.moved(plan, UR5E.home + np.array([0, 0, 0.011, 0, 0, 0]))
    assert "elbow_joint is 0.0110 rad off, allowed 0.01 rad" in str(far)
    assert (far.kind, far.joint, far.limit) == (Kind.START, "elbow_joint", (0.0, NEAR))
    assert make.moved(plan, np.full(6, np.nan))
    assert plan.starts(plan.motion.ready) is plan.motion.ready
    assert make.plan(THETA, "run").starts(plan.motion.ready) is None
