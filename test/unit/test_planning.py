"""What the executor would do with a theta under its rules."""

import numpy as np
import pytest

from icpi_ros.arms.ur5e import UR5E
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.nodes.planning import Planner, Rules
from icpi_ros.nodes.run_memory import MOST_RUNS, RunMemory
from icpi_ros.tasks.slide import SLIDE

THETA = np.array([1.0, 0.1])


def planner(memory=None, task=SLIDE, **rules):
    return Planner(task, UR5E, SafetyGate(UR5E), Rules(**rules), memory or RunMemory())


def test_without_rules_a_plan_is_the_task_s_motion():
    make = planner()
    plan = make.plan(THETA, "run")
    stroke = SLIDE.motion(THETA, UR5E).stroke
    assert (plan.slow_scale, plan.stroke_scale, plan.rehearsal, plan.dtheta) == (1, 1, None, None)
    np.testing.assert_array_equal(plan.motion.stroke.times, stroke.times)
    np.testing.assert_array_equal(plan.motion.stroke.positions, stroke.positions)
    ends = UR5E.tool_pose(stroke.positions[[0, -1]])[0]
    summary, path = make.shown(plan)
    np.testing.assert_allclose(path[[0, -1]], ends, atol=1e-9)
    assert summary.tool_speed == pytest.approx(1.0, abs=0.01)


def test_the_ramp_rises_with_the_executions_of_the_run_alone():
    memory = RunMemory()
    make = planner(memory, ramp_trials=2, ramp_scale=0.4, rehearse=True)
    seen = []
    for _ in range(3):
        plan = make.plan(THETA, "run")
        slow = None if plan.rehearsal is None else plan.rehearsal.duration
        seen.append((plan.slow_scale, slow))
        memory.add("run", plan.theta)
    stroke = SLIDE.motion(THETA, UR5E).stroke.duration
    assert [scale for scale, _ in seen] == pytest.approx([0.4, 0.7, 1.0])
    assert seen[0][1] == pytest.approx(stroke / 0.4)
    assert seen[2][1] is None
    assert make.plan(THETA, "another").slow_scale == 0.4


def test_a_stroke_whose_speed_does_not_matter_is_ramped_itself(monkeypatch):
    monkeypatch.setattr(type(SLIDE), "scalable", True)
    plan = planner(ramp_trials=1, ramp_scale=0.5, rehearse=True).plan(THETA, "run")
    assert plan.stroke_scale == 0.5
    assert plan.rehearsal is None
    assert plan.motion.stroke.duration == pytest.approx(
        2 * SLIDE.motion(THETA, UR5E).stroke.duration
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


def test_the_memory_is_bounded_and_forgets_the_oldest_run():
    memory = RunMemory()
    for number in range(MOST_RUNS + 1):
        memory.add(str(number), THETA)
    assert memory.executed("0") == []
    assert len(memory.executed(str(MOST_RUNS))) == 1


def test_a_puck_beside_its_place_is_named_with_its_distance():
    assert SLIDE.misplaced(np.array([0.605, -0.15, 0.01])) == ""
    text = SLIDE.misplaced(np.array([0.6, -0.12, 0.01]))
    assert "30 mm from its place" in text
