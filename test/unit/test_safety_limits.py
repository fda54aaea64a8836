from dataclasses import fields, replace

import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue, MotionRefused, UnknownName, UsageError
from icpi_ros.core.files import HashedFile
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.robots.ur5e_stick import UR5E_STICK
from icpi_ros.tasks.slide import SLIDE

STROKE = SLIDE.motion(np.array([1.2, 0.1]), UR5E).trajectory


def tightened(**changes):
    return UR5E.limits.tightened(changes, UR5E.joints)


def written(tmp_path, text):
    path = tmp_path / "limits.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_number_holds_for_all_joints_and_a_list_for_each():
    limits = tightened(velocity=1.5, acceleration=[20, 20, 20, 30, 30, 30], workspace_lower=0.1)
    np.testing.assert_array_equal(limits.velocity, np.full(6, 1.5))
    np.testing.assert_array_equal(limits.acceleration, [20, 20, 20, 30, 30, 30])
    np.testing.assert_array_equal(limits.upper, UR5E.limits.upper)


def test_the_arms_own_limits_are_not_looser_than_themselves():
    names = [f.name for f in fields(UR5E.limits) if f.name != "tool_mass"]
    same = tightened(**{name: getattr(UR5E.limits, name) for name in names})
    for name in names:
        np.testing.assert_array_equal(getattr(same, name), getattr(UR5E.limits, name))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"velocity": [1, 1, 3.2, 1, 1, 1]}, "velocity of elbow_joint = 3.2 is looser.*3.14159265"),
        ({"acceleration": 40.000001}, "acceleration of shoulder_pan_joint = 40.000001"),
        ({"upper": 3.5}, "upper of elbow_joint = 3.5 is looser"),
        ({"lower": [-1, -1, -4, -1, -1, -1]}, "lower of elbow_joint = -4 is looser"),
        ({"workspace_lower": [-0.5, -0.5, 0.0]}, "workspace_lower z = 0 is looser.*0.008"),
        ({"workspace_upper": [1, 1, 1]}, "workspace_upper x = 1 is looser"),
        ({"tool_speed": 4.1}, "tool_speed = 4.1 is looser than the arm's own 4:"),
        ({"tool_energy": 2.5}, "tool_energy = 2.5 is looser"),
        ({"velocity": np.nan}, "velocity must be one finite number or a list of 6"),
        ({"velocity": [1, 1, np.inf, 1, 1, 1]}, "velocity must be"),
        ({"velocity": [1, 1]}, "velocity must be"),
        ({"velocity": True}, "velocity must be"),
        ({"velocity": "fast"}, "velocity must be"),
        ({"tool_speed": [1.0, 2.0]}, "tool_speed must be one finite number, is"),
        ({"tool_speed": None}, "tool_speed must be"),
        ({"velocity": 0.0}, "leave no motion"),
        ({"lower": 1.0, "upper": 0.5}, "leave no motion"),
    ],
)
def test_what_is_looser_or_no_limit_is_refused(changes, reason):
    with pytest.raises(InvalidValue, match=reason):
        tightened(**changes)


@pytest.mark.parametrize("key", ["speed", "tool_mass", "floor", 3])
def test_an_unknown_key_is_refused_with_the_known_ones(key):
    with pytest.raises(UnknownName, match=r"unknown limit.*tool_energy.*velocity"):
        UR5E.limits.tightened({key: 1.0}, UR5E.joints)


def test_the_gate_takes_tighter_limits_only():
    SafetyGate(UR5E).check(STROKE, STROKE.positions[0])
    tight = SafetyGate(UR5E, tightened(tool_speed=1.1))
    with pytest.raises(MotionRefused, match=r"tool speed reaches 1.2.* at most 1.1 m/s"):
        tight.check(STROKE, STROKE.positions[0])
    for looser in ({"tool_speed": 5.0}, {"velocity": np.full(6, 4.0)}, {"tool_mass": 0.1}):
        with pytest.raises(InvalidValue, match="the arm's own"):
            SafetyGate(UR5E, replace(UR5E.limits, **looser))


def test_the_energy_of_the_tool_limits_its_speed():
    gate = SafetyGate(UR5E, tightened(tool_energy=0.15))
    with pytest.raises(MotionRefused, match=r"at most 1 m/s: 0.15 J of 0.3 kg"):
        gate.check(STROKE, STROKE.positions[0])
    heavy = SafetyGate(UR5E, replace(UR5E.limits, tool_mass=30.0))
    with pytest.raises(MotionRefused, match=r"2\.4 J of 30 kg"):
        heavy.check(STROKE, STROKE.positions[0])


def test_the_floor_is_the_bases_plane_unless_the_arm_works_below_it():
    assert UR5E.limits.floor == 0.0
    assert UR5E_STICK.limits.floor == UR5E_STICK.limits.workspace_lower[2]


def test_limits_come_from_a_file(tmp_path):
    text = "velocity: 1.5  # rad/s\nworkspace_lower: [0.2, -0.5, 8e-3]\ntool_speed: 9e-1\n"
    limits, file = load_limits(written(tmp_path, text), UR5E)
    assert file == HashedFile.of(tmp_path / "limits.yaml", text.encode())
    np.testing.assert_array_equal(limits.velocity, np.full(6, 1.5))
    np.testing.assert_array_equal(limits.workspace_lower, [0.2, -0.5, 0.008])
    assert limits.tool_speed == 0.9
    SafetyGate(UR5E, limits)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no limits"),
        ("- 1\n- 2\n", "holds no limits"),
        ("velocity: [1, 2", "is no YAML"),
        ("velocity: .nan", "finite number"),
        ("velocity: nan", "finite number"),
        ("velocity: .inf", "finite number"),
        ("velocity: fast", "is 'fast'"),
        ("velocity: yes", "finite number"),
        ("velocity: {a: 1}", "finite number"),
        ("velocity: &a [*a, 1, 1, 1, 1, 1]", "stands for what it is in"),
        ("velocity: !!python/object/apply:os.getcwd []", "finite number"),
        ("velocity: 9.0", "limits of ur5e: velocity of shoulder_pan_joint = 9 is looser"),
        ("vellocity: 1.0", "unknown limit 'vellocity': choose one of"),
        ("velocity: 1.0\nvelocity: 3.0", "velocity twice"),
        ("x" * 200_000, "too large"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        load_limits(written(tmp_path, text), UR5E)
    assert "limits.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read limits"):
        load_limits(tmp_path / "none.yaml", UR5E)
