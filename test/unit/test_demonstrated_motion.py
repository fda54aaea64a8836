"""Motions made from demonstrations: at rest at both ends, through the gate, near what was shown."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue, Kind, MotionRefused, UnknownName
from icpi_ros.motion.demonstration.bounds import feasible_box
from icpi_ros.motion.demonstration.demonstration import (
    TOLERANCE,
    demonstration_of,
    local_cubic,
)
from icpi_ros.motion.demonstration.family import DemonstratedMotion
from icpi_ros.motion.demonstration.parameters import on_offer, space_of
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.motion.extremes import extremes
from icpi_ros.motion.primitives import slow_move
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import prefixed
from icpi_ros.testing.demonstrations import pushed, thrown

ARM = find_arm("ur5e")
GATE = SafetyGate(ARM)
MAKERS = {"push": pushed, "throw": thrown}
CHOICES = {
    "speed, heading": {"speed": (0.3, 2.2), "heading": (-0.3, 0.3)},
    "speed, elevation, wrist": {
        "speed": (0.3, 1.5),
        "elevation": (0.0, 0.2),
        "wrist_1_joint": (-0.1, 0.1),
    },
    "reach, lateral, offset": {
        "reach": (0.8, 1.1),
        "lateral": (-0.04, 0.04),
        "offset_z": (0.0, 0.05),
    },
}


@functools.cache
def shown_motion(kind, seeds, arm):
    """Return the family of recordings that most tests share, with any parameter."""
    return DemonstratedMotion.of([MAKERS[kind](arm, seed) for seed in seeds], arm, {"speed": None})


def made(kind, parameters, seeds=(0,), arm=ARM):
    family = shown_motion(kind, tuple(seeds), arm)
    return replace(family, space=space_of(family.shown, parameters))


def made_of(recording, parameters):
    return DemonstratedMotion.of([recording], ARM, parameters)


@functools.cache
def boxed(kind, choice):
    """Return a family whose space is the box that was proposed for it."""
    box = feasible_box(made(kind, CHOICES[choice]), GATE)
    return made(kind, box.bounds)


def motion_of(family, theta, arm=ARM):
    return family.trajectories(np.array(theta, dtype=float)[np.newaxis], arm)[0]


def passes(motion, gate=GATE):
    gate.check(motion, motion.positions[0])


def tool(motion, count=400):
    q, _, _ = motion.sample(np.linspace(0.0, motion.duration, count))
    return ARM.tool_pose(q)[0]


def distance_to(points, path):
    """Return the distance of each point from the nearest one of a dense path."""
    return np.linalg.norm(points[:, np.newaxis] - path, axis=-1).min(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("choice", CHOICES)
@settings(max_examples=15, deadline=None)
@given(shares=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
@example([0.0, 0.0, 0.0])
@example([1.0, 1.0, 1.0])
def test_every_motion_in_the_proposed_box_passes_the_gate(kind, choice, shares):
    family = boxed(kind, choice)
    space = family.space
    theta = space.lower + np.array(shares[: space.dim]) * (space.upper - space.lower)
    motion = motion_of(family, theta)
    for values in (motion.velocities, motion.accelerations):
        assert not values[0].any()
        assert not values[-1].any()
    passes(motion)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), every=st.sampled_from([1, 4]))
def test_whoever_shows_it_twice_the_speed_passes(kind, seed, every):
    shown = MAKERS[kind](ARM, seed)
    slow = JointRecording(ARM.joints, shown.times[::every], shown.positions[::every])
    family = DemonstratedMotion.of([slow], ARM, {"speed": None})
    for theta in (family.demonstrated, family.space.lower, family.space.upper):
        passes(motion_of(family, theta))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", MAKERS)
def test_the_demonstrated_theta_goes_where_it_was_shown(kind, seed):
    recording = MAKERS[kind](ARM, seed)
    family = DemonstratedMotion.of([recording], ARM, {"speed": None, "heading": None})
    motion = motion_of(family, family.demonstrated)
    shown = ARM.tool_pose(recording.positions)[0]
    smooth = TOLERANCE + 0.001  # noise of the encoders, and the points of the trajectory
    assert distance_to(tool(motion), shown).max() < smooth + 0.002  # shown points are 3 mm apart
    assert np.linalg.norm(motion.positions[0] - recording.positions[:60].mean(axis=0)) < 0.02
    assert np.linalg.norm(tool(motion)[-1] - shown[-1]) < 0.01
    speeds = np.linalg.norm(np.diff(tool(motion, 2000), axis=0), axis=1) / (motion.duration / 1999)
    assert speeds.max() == pytest.approx(family.shown.speed, rel=0.02)


@pytest.mark.parametrize("kind", MAKERS)
def test_speed_is_the_peak_speed_of_the_tool_at_the_demonstrated_place(kind):
    family = made(kind, {"speed": (0.2, 1.5)})
    place = ARM.tool_pose(np.array(family._path(family.shown.peak)))[0]
    for speed in (0.3, 0.8, 1.5):
        motion = motion_of(family, [speed])
        points = tool(motion, 4000)
        speeds = np.linalg.norm(np.diff(points, axis=0), axis=1) / (motion.duration / 3999)
        assert speeds.max() == pytest.approx(speed, rel=0.02)
        assert np.linalg.norm(points[np.argmax(speeds)] - place) < 0.04


@pytest.mark.parametrize("window", [7, 51])
def test_smoothing_leaves_a_cubic_and_its_slope_as_they_are(window):
    step = 0.008
    cubic = np.polynomial.Polynomial([0.3, -1.0, 2.0, 5.0])
    seen = cubic(np.arange(window)[::-1] * step)  # a convolution goes backwards
    middle = window // 2 * step
    assert local_cubic(window, 0, step) @ seen == pytest.approx(cubic(middle), abs=1e-12)
    assert local_cubic(window, 1, step) @ seen == pytest.approx(cubic.deriv()(middle), abs=1e-9)


def test_a_tool_point_that_only_turns_on_the_spot_is_no_motion():
    shown = pushed(ARM)
    turned = np.tile(shown.positions[:1], (len(shown.times), 1))
    turned[:, -1] += shown.positions[:, 0] - shown.positions[0, 0]
    with pytest.raises(InvalidValue, match="the tool point turns on the spot"):
        made_of(JointRecording(shown.joints, shown.times, turned), {"speed": None})


def test_heading_turns_the_tool_path_about_its_start():
    family = made("push", {"heading": (-0.4, 0.4)})
    straight, turned = (tool(motion_of(family, [a])) for a in (0.0, 0.3))
    c, s = np.cos(0.3), np.sin(0.3)
    wanted = straight[0] + (straight - straight[0]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    np.testing.assert_allclose(turned, wanted, atol=2e-4)


def test_elevation_raises_the_path_and_reach_scales_it():
    family = made("throw", {"elevation": (-0.3, 0.3), "reach": (0.7, 1.2)})
    level, raised, small = (tool(motion_of(family, t)) for t in ((0, 1), (0.2, 1), (0, 0.8)))
    assert raised[-1, 2] > level[-1, 2] + 0.03
    np.testing.assert_allclose(raised[0], level[0], atol=1e-6)
    at = distance_to(small[0] + (small - small[0]) / 0.8, level)
    assert at.max() < 2e-3


def test_offsets_shift_the_path_in_the_frame_of_the_base():
    names = ("offset_x", "offset_y", "offset_z")
    family = made("push", dict.fromkeys(names, (-0.1, 0.1)))
    shift = np.array([0.02, -0.03, 0.04])
    moved = tool(motion_of(family, shift)) - tool(motion_of(family, np.zeros(3)))
    np.testing.assert_allclose(moved, np.tile(shift, (len(moved), 1)), atol=1e-4)


def test_lateral_shifts_to_the_left_of_the_direction():
    family = made("push", {"lateral": (-0.1, 0.1)})
    moved = tool(motion_of(family, [0.03])) - tool(motion_of(family, [0.0]))
    np.testing.assert_allclose(moved, np.tile([-0.03, 0.0, 0.0], (len(moved), 1)), atol=2e-3)


def test_a_joint_offset_is_there_at_the_peak_and_not_at_the_start():
    family = made("throw", {"wrist_1_joint": (-0.3, 0.3)})
    plain, offset = (motion_of(family, [a]) for a in (0.0, 0.1))
    apart = offset.positions - plain.positions
    assert not apart[0].any()
    peak = len(plain.times) // 2
    np.testing.assert_allclose(apart[peak], [0, 0, 0, 0.1, 0, 0], atol=1e-6)


def test_components_lead_from_one_demonstration_to_the_other():
    recordings = [thrown(ARM, seed) for seed in (0, 1)]
    alone = [demonstration_of([recording], ARM) for recording in recordings]
    family = DemonstratedMotion.of(recordings, ARM, {"component_1": (-1.5, 1.5)})
    ends = [motion_of(family, [z]).positions[-1] for z in (-1.0 / np.sqrt(2), 1.0 / np.sqrt(2))]
    shown = [one.positions[-1] for one in alone]
    swapped = np.linalg.norm(ends[0] - shown[0]) > np.linalg.norm(ends[0] - shown[1])
    for end, other in zip(ends, shown[::-1] if swapped else shown, strict=True):
        np.testing.assert_allclose(end, other, atol=5e-3)


def test_the_mean_of_several_demonstrations_passes_and_lies_between_them():
    family = made("push", {"speed": None, "component_1": None}, seeds=(0, 1, 2))
    motion = motion_of(family, family.demonstrated)
    passes(motion)
    assert family.space.names == ("speed", "component_1")
    assert np.abs(tool(motion)[:, 0] - 0.6).max() < 0.006 + TOLERANCE
    for component in (-1.5, 1.5):
        passes(motion_of(family, [family.demonstrated[0], component]))


def test_derivatives_are_those_of_the_path_so_that_quintics_stay_smooth():
    motion = motion_of(made("push", {"speed": (0.3, 2.0), "heading": (-0.3, 0.3)}), [1.2, 0.2])
    _, _, qdd = extremes(motion)
    assert np.abs(qdd).max() < 1.02 * np.abs(motion.accelerations).max() + 0.2


def test_a_fast_motion_brakes_over_a_longer_way():
    family = made("push", {"speed": (0.3, 2.2)}, seeds=(2,))
    slow, fast = (motion_of(family, [speed]) for speed in (0.4, 1.9))
    ends = [tool(motion)[-1] for motion in (slow, fast)]
    assert ends[1][1] > ends[0][1] + 0.02
    assert np.abs(ends[1] - ends[0])[[0, 2]].max() < 0.02  # straight on
    _, _, qdd = extremes(fast)
    assert (np.abs(qdd) < ARM.limits.acceleration).all()


def test_many_motions_at_once_are_the_same_as_one_by_one():
    family = made("push", {"speed": (0.3, 1.5), "heading": (-0.3, 0.3)})
    thetas = family.space.sample(np.random.default_rng(0), 5)
    batch = family.trajectories(thetas, ARM)
    for row, theta in enumerate(thetas):
        np.testing.assert_array_equal(batch[row].positions, motion_of(family, theta).positions)
        np.testing.assert_array_equal(batch[row].times, motion_of(family, theta).times)


def test_the_demonstrated_posture_is_kept():
    """Arm.ik has one branch; a demonstration may be shown on another."""
    other = np.array([0.0, -1.9, -1.6, -1.2, 1.5708, 0.0])  # the wrist turned over
    u = np.clip((np.arange(300) / 125.0 - 0.4) / 1.6, 0.0, 1.0)
    share = u**3 * (10 - 15 * u + 6 * u**2)
    q = other + share[:, np.newaxis] * np.array([0.5, 0.1, -0.2, 0.1, 0.0, 0.1])
    recording = JointRecording(ARM.joints, np.arange(300) / 125.0, q)
    family = DemonstratedMotion.of([recording], ARM, {"heading": (-0.3, 0.3)})
    at = motion_of(family, [0.1]).positions
    assert np.abs(at - other).max() < 1.0
    moved = ARM.tool_pose(at[:1])[0][0]
    np.testing.assert_allclose(moved, ARM.tool_pose(other)[0], atol=1e-3)


def test_an_arm_of_seven_joints_keeps_its_posture_too():
    arm = find_arm("fr3")
    family = DemonstratedMotion.of(
        [pushed(arm, 0)], arm, {"speed": (0.2, 1.0), "heading": (-0.2, 0.2)}
    )
    gate = SafetyGate(arm)
    passes(motion_of(family, family.demonstrated, arm), gate)
    passes(motion_of(family, [0.4, 0.1], arm), gate)


def test_a_prefix_of_the_arm_is_that_of_the_motion():
    family = made("push", {"speed": None})
    other = prefixed(ARM, "left_")
    assert motion_of(family, family.demonstrated, other).joints == other.joints
    with pytest.raises(InvalidValue, match="demonstrated with arm ur5e"):
        motion_of(family, family.demonstrated, find_arm("fr3"))


@pytest.mark.parametrize("kind", MAKERS)
def test_ready_is_behind_and_above_the_start_and_leads_there(kind):
    family = made(kind, {"speed": None, "heading": None})
    theta = family.demonstrated
    ready, motion = family.ready(theta, ARM), motion_of(family, theta)
    (at, start), _ = ARM.tool_pose(np.stack([ready, motion.positions[0]]))
    assert at[2] > start[2] + 0.02
    approach = slow_move(ARM, ready, motion.positions[0], 0.3)
    passes(approach)


def test_the_demonstrated_theta_is_put_into_a_box_that_does_not_hold_it():
    family = made("push", {"speed": (0.6, 1.6), "heading": (0.1, 0.3)})
    np.testing.assert_array_equal(family.demonstrated, [0.6, 0.1])


def test_the_hash_covers_recording_parameters_and_bounds():
    hashes = {
        made("push", {"speed": (0.3, 1.0)}).hash_data(),
        made("push", {"speed": (0.3, 1.1)}).hash_data(),
        made("push", {"speed": (0.3, 1.0), "heading": None}).hash_data(),
        made("push", {"speed": (0.3, 1.0)}, seeds=(1,)).hash_data(),
        made("push", {"speed": (0.3, 1.0)}, seeds=(0, 1)).hash_data(),
    }
    assert len(hashes) == 5
    assert made_of(pushed(ARM), {"speed": (0.3, 1.0)}).hash_data() in hashes  # shown anew


def shown():
    """A demonstration; not while tests are collected: smoothing it imports half of scipy."""
    return demonstration_of([pushed(ARM)], ARM)


BAD_PARAMETERS = {
    "none": ({}, "1 to 8 parameters"),
    "too many": (lambda: dict.fromkeys(list(on_offer(shown()))[:9]), "1 to 8"),
    "unknown": ({"sped": None}, "speed"),
    "no component of one": ({"component_1": None}, "several demonstrations"),
    "reversed": ({"speed": (1.0, 0.5)}, "bounds of speed = 1 to 0.5"),
    "no speed": ({"speed": (-1.0, 0.5)}, "at least 0.001"),
    "not finite": ({"heading": (0.0, float("nan"))}, "bounds of heading"),
    "one number": ({"heading": 0.3}, "two numbers"),
    "three": ({"heading": (0.1, 0.2, 0.3)}, "two numbers"),
    "text": ({"heading": ("a", "b")}, "two numbers"),
}


@pytest.mark.parametrize("fault", BAD_PARAMETERS)
def test_bad_parameters_are_one_clear_line(fault):
    parameters, words = BAD_PARAMETERS[fault]
    parameters = parameters() if callable(parameters) else parameters
    with pytest.raises((InvalidValue, UnknownName), match=words) as caught:
        made("push", parameters)
    assert "\n" not in str(caught.value)


def test_a_path_out_of_reach_is_refused_with_its_theta():
    family = made("push", {"offset_x": (-0.1, 0.9)})
    with pytest.raises(MotionRefused, match=r"reach of ur5e with offset_x=0\.8 m") as caught:
        motion_of(family, [0.8])
    assert caught.value.refusal.kind is Kind.OUT_OF_REACH


def test_a_box_that_passes_is_left_as_it_is():
    family = made("push", {"speed": (0.3, 0.7)})
    box = feasible_box(family, GATE)
    assert box.space == family.space
    assert box.notes == ()


def test_a_box_is_cut_to_what_the_arm_can_do_and_says_by_what():
    family = made("push", {"speed": (0.3, 3.0), "offset_z": (-0.05, 0.05)})
    box = feasible_box(family, GATE)
    (slow, fast), (low, high) = box.bounds["speed"], box.bounds["offset_z"]
    assert (slow, high) == (0.3, 0.05)
    assert 1.0 < fast < 2.2
    assert -0.01 < low <= 0.0
    assert len(box.notes) == 2
    notes = " ".join(box.notes)
    assert "velocity of" in notes
    assert "tool z reaches" in notes
    with pytest.raises(MotionRefused):
        passes(motion_of(family, [fast + 0.25, 0.0]))


def test_a_demonstration_that_cannot_be_executed_has_no_box():
    family = made("push", {"speed": (2.8, 3.0)})
    with pytest.raises(InvalidValue, match=r"cannot be executed: velocity of"):
        feasible_box(family, GATE)


def test_tighter_limits_give_a_smaller_box():
    family = made("throw", {"speed": (0.2, 2.0)})
    limits = ARM.limits.tightened({"tool_speed": 0.8}, ARM.joints)
    assert feasible_box(family, SafetyGate(ARM, limits)).bounds["speed"][1] <= 0.8
