"""A release: checked like the joints, part of what is approved, slowed with its motion."""

import math
from dataclasses import replace

import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue, Kind, MotionRefused, UsageError
from icpi_ros.motion.release import Release, release_at
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.summary import summarise
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.ros.following.memory import RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.settings.gripper import GripperKind, gripper_choice
from icpi_ros.tasks.feasibility import feasibility_of
from icpi_ros.tasks.slide import SLIDE
from icpi_ros.tasks.toss import TOSS_GC

GATE = SafetyGate(UR5E)
THETA = np.array([1.4, 0.1, -0.02])
MOTION = TOSS_GC.motion(THETA, UR5E)
END = MOTION.trajectory.duration


def checked(release, motion=MOTION):
    return GATE.check(motion.trajectory, motion.start, release)


def planner(task=TOSS_GC, memory=None, **rules):
    return Planner(task, UR5E, GATE, ExecutorRules(**rules), memory or RunMemory())


@pytest.mark.parametrize("release", [None, 0.0, MOTION.release, END])
def test_a_release_inside_the_motion_passes_as_it_is(release):
    assert checked(release).release == release


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        (math.nan, Kind.NOT_FINITE),
        (math.inf, Kind.NOT_FINITE),
        (-1e-9, Kind.OUT_OF_BOUNDS),
        (END + 1e-9, Kind.OUT_OF_BOUNDS),
        ("0.3", Kind.FORM),
        (True, Kind.FORM),
        (np.array([0.3]), Kind.FORM),
    ],
)
def test_any_other_is_refused_with_its_fields(release, kind):
    with pytest.raises(MotionRefused) as caught:
        checked(release)
    refusal = caught.value.refusal
    assert (refusal.kind, refusal.quantity, refusal.unit) == (kind, "release", "s")
    assert refusal.limit == (0.0, END)
    assert "\n" not in refusal.text


def test_what_comes_after_the_release_is_checked_as_before():
    positions = MOTION.trajectory.positions.copy()
    positions[-1] += 0.2
    with pytest.raises(MotionRefused) as caught:
        checked(
            MOTION.release,
            replace(MOTION, trajectory=replace(MOTION.trajectory, positions=positions)),
        )
    assert caught.value.refusal.kind is Kind.JOINT_LIMIT


def test_a_task_that_declares_no_release_may_not_let_go(monkeypatch):
    declared = SLIDE.motion(np.array([1.0, 0.1]), UR5E)
    lets_go = replace(declared, release=0.2)
    monkeypatch.setattr(type(SLIDE), "motion", lambda self, theta, arm: lets_go)
    with pytest.raises(MotionRefused) as caught:
        planner(SLIDE).plan(np.array([1.0, 0.1]), "run")
    assert (caught.value.refusal.kind, caught.value.refusal.value) == (Kind.UNDECLARED, 0.2)


def test_a_throw_without_its_release_is_refused(monkeypatch):
    monkeypatch.setattr(
        type(TOSS_GC), "motion", lambda self, theta, arm: replace(MOTION, release=None)
    )
    with pytest.raises(MotionRefused) as caught:
        planner().plan(THETA, "run")
    assert caught.value.refusal.kind is Kind.MISSING


def test_a_slowed_motion_lets_go_at_the_same_place():
    slow = MOTION.slowed(0.4)
    assert slow.release == pytest.approx(MOTION.release / 0.4)
    there, here = (release_at(m.trajectory, m.release, UR5E) for m in (MOTION, slow))
    np.testing.assert_allclose(here.point, there.point, atol=1e-9)
    np.testing.assert_allclose(here.velocity, 0.4 * there.velocity, atol=1e-9)
    assert MOTION.slowed(1.0).release == MOTION.release


def test_a_ramp_slows_the_release_alike_where_the_throw_itself_is_ramped(monkeypatch):
    monkeypatch.setattr(type(TOSS_GC), "scalable", True)
    plan = planner(ramp_trials=1, ramp_scale=0.5).plan(THETA, "run")
    assert plan.motion.release == plan.checked.release == pytest.approx(MOTION.release / 0.5)


def test_a_rehearsal_keeps_the_gripper_closed_and_the_throw_after_it_lets_go():
    make = planner(ramp_trials=1, ramp_scale=0.4, rehearse=True)
    plan = make.shown(make.plan(THETA, "run"), UR5E.home)
    found = {one.label: one.summary.release for one in plan.shown}
    assert found.pop("stroke").time == MOTION.release
    assert "rehearsal" in found
    assert not any(found.values())


def test_the_person_sees_when_where_and_how_fast_it_lets_go():
    release = summarise(checked(MOTION.release), GATE).release
    step = 1e-5
    q, _, _ = MOTION.trajectory.sample(MOTION.release + np.array([-step, 0.0, step]))
    points = UR5E.tool_pose(q)[0]
    np.testing.assert_allclose(release.point, points[1])
    np.testing.assert_allclose(release.velocity, (points[2] - points[0]) / (2 * step), atol=1e-4)
    said = Release(0.42, np.array([0.66, 0.88, 0.5]), np.array([0.9, 0.6667, 0.65]))
    assert said.text == (
        "at 0.420 s, tool at 1.29 m/s, 1.10 m from the base, 0.50 m high, going up 30 deg"
    )
    assert "tool at rest" in replace(said, velocity=np.zeros(3)).text
    (line,) = [x for x in summarise(checked(0.3), GATE).lines() if "lets go" in x]
    assert line.startswith("lets go at 0.300 s, tool at ")
    assert summarise(checked(None), GATE).release is None


def test_a_gripper_that_is_slower_than_the_release_is_early_is_refused():
    late = MOTION.release + 1e-3
    with pytest.raises(MotionRefused) as caught:
        planner(gripper_latency=late).plan(THETA, "run")
    refusal = caught.value.refusal
    assert (refusal.kind, refusal.value, refusal.limit) == (
        Kind.NO_GRIPPER,
        MOTION.release,
        (late, math.inf),
    )
    assert feasibility_of(TOSS_GC, UR5E, GATE, late)(THETA) == refusal
    assert feasibility_of(TOSS_GC, UR5E, GATE, MOTION.release)(THETA) is None


def test_the_ways_to_a_gripper_are_told_apart():
    assert gripper_choice("none").kind is GripperKind.NONE
    assert gripper_choice("action:/gripper_controller/gripper_cmd").names == (
        "/gripper_controller/gripper_cmd",
    )
    assert gripper_choice("trigger:open,~/close").names == ("open", "~/close")
    assert gripper_choice("topic:/digital_output").kind is GripperKind.TOPIC
    assert gripper_choice("simulated").kind is GripperKind.SIMULATED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "action",
        "action:",
        "action:a,b",
        "trigger:a,b,c",
        "topic:a b",
        "none:x",
        "usb:a",
    ],
)
def test_any_other_way_is_refused_in_one_line(text):
    with pytest.raises(InvalidValue, match="gripper = ") as caught:
        gripper_choice(text)
    assert "action:/gripper_controller/gripper_cmd" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_that_lets_go_needs_a_gripper_before_any_node_starts():
    real = {"task": "toss-gc", "unattended": "true"}
    with pytest.raises(UsageError, match=r"toss-gc lets go of the ball .* gripper:=action:NAME"):
        checked_graph("real", real)
    with pytest.raises(UsageError, match="gripper = 'usb' is not allowed"):
        checked_graph("real", real | {"gripper": "usb"})
    for given in ({"gripper": "topic:/digital_output"}, {"dry_run": "true"}, {"task": "slide"}):
        (executor,) = [s for s in checked_graph("real", real | given) if s.name == "executor"]
        assert executor.parameters["gripper"] == given.get("gripper", "none")
    (executor,) = [s for s in checked_graph("sim", {"task": "toss-gc"}) if s.name == "executor"]
    assert executor.parameters["gripper"] == "simulated"
