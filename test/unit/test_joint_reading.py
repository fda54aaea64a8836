"""What messages of joint states say of an arm: those of many drivers, and why some say nothing."""

import math

import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import prefixed
from icpi_ros.ros.base.joint_reading import UnusableState, read_joints
from icpi_ros.tasks import TASKS

ARM = ARMS.get("ur5e")
NAMES = sorted(ARM.joints)
Q = {name: 0.1 * i for i, name in enumerate(ARM.joints)}


def read(names=NAMES, positions=None, velocities=None, joints=ARM.joints):
    q = [Q.get(name, 9.0) for name in names] if positions is None else positions
    return read_joints(names, q, [0.0] * len(names) if velocities is None else velocities, joints)


def test_joints_are_sorted_as_the_arm_has_them_whatever_else_is_in_the_message():
    reading = read(["finger", *NAMES], velocities=[math.nan, *range(6)])
    np.testing.assert_allclose(reading.q, list(Q.values()))
    assert [NAMES[int(v)] for v in reading.qd] == list(ARM.joints)
    assert reading.prefix == ""


@pytest.mark.parametrize(
    "velocities", [[], [math.nan] * 6, [0.0] * 5 + [math.nan]], ids=["none", "NaN", "one NaN"]
)
def test_velocities_that_are_not_told_are_not_known(velocities):
    reading = read(velocities=velocities)
    assert np.isnan(reading.qd).all()
    np.testing.assert_allclose(reading.q, list(Q.values()))


def test_a_prefix_that_was_not_asked_for_is_found():
    names = [f"ur_{name}" for name in NAMES]
    reading = read(names, [Q[name] for name in NAMES])
    assert reading.prefix == "ur_"
    np.testing.assert_allclose(reading.q, list(Q.values()))


@pytest.mark.parametrize(
    ("given", "words", "foreign"),
    [
        ({"names": NAMES[1:]}, f"lack {NAMES[0]}; they name {NAMES[1]}", False),
        ({"names": [f"ur_{n}" for n in NAMES[1:]]}, f"they name ur_{NAMES[1]}", False),
        ({"names": ["finger"]}, "lack shoulder_pan_joint, .*; they name finger$", True),
        ({"names": []}, "they name no joint", True),
        ({"names": [f"gripper_{NAMES[0]}"]}, f"they name gripper_{NAMES[0]}", True),
        ({"positions": [0.0] * 5}, "6 names and 5 positions", False),
        ({"positions": []}, "6 names and 0 positions", False),
        ({"velocities": [0.0] * 7}, "6 names and 7 velocities", False),
        ({"names": [*NAMES, NAMES[2]]}, f"name {NAMES[2]} more than once", False),
        ({"positions": [0.0] * 5 + [math.nan]}, f"{NAMES[5]} is at nan rad", False),
        (
            {"names": [p + n for p in ("left_", "right_") for n in NAMES]},
            "prefixes left_, right_: choose one with joint_prefix",
            False,
        ),
    ],
)
def test_what_cannot_be_used_says_why(given, words, foreign):
    with pytest.raises(UnusableState, match=words) as caught:
        read(**given)
    assert caught.value.foreign is foreign
    assert "\n" not in str(caught.value)


def test_long_lists_of_names_are_cut():
    with pytest.raises(UnusableState, match="and 88 more"):
        read([f"joint_{i}" for i in range(100)])


def test_an_arm_with_a_prefix_is_the_same_arm_under_other_names():
    named = prefixed(ARM, "left_")
    assert named.joints == tuple(f"left_{joint}" for joint in ARM.joints)
    assert ARM.joints[0] == "shoulder_pan_joint"
    assert prefixed(ARM, "") is ARM
    reading = read([f"left_{n}" for n in NAMES], [Q[n] for n in NAMES], joints=named.joints)
    assert reading.prefix == ""
    np.testing.assert_allclose(reading.q, list(Q.values()))


def test_motions_of_an_arm_with_a_prefix_name_its_joints_and_pass_the_gate():
    named, task = prefixed(ARM, "left_"), TASKS.get("slide")
    stroke = task.motion(task.space.lower, named).trajectory
    checked = SafetyGate(named).check(stroke, stroke.positions[0])
    assert checked.trajectory.joints == named.joints
    plain = task.motion(task.space.lower, ARM).trajectory
    np.testing.assert_array_equal(stroke.positions, plain.positions)


@pytest.mark.parametrize("prefix", ["ur 5", "a\n", "ü_", "left;"])
def test_a_prefix_that_no_joint_can_have_is_refused(prefix):
    with pytest.raises(InvalidValue, match=r"joint_prefix = .* is not allowed"):
        prefixed(ARM, prefix)
