"""Recordings of joints: what was written is read again, anything wrong is one clear line."""

import re

import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue, Kind
from icpi_ros.motion.demonstration.demonstration import demonstration_of
from icpi_ros.motion.demonstration.recording import MIN_SAMPLES, JointRecording, recording_of
from icpi_ros.motion.demonstration.recording_file import read_csv, write_csv
from icpi_ros.motion.primitives import slow_move
from icpi_ros.robots import find_arm
from icpi_ros.testing.demonstrations import pushed, thrown

ARM = find_arm("ur5e")
SHOWN = pushed(ARM, 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "push.csv"


def lines_of(path):
    write_csv(path, SHOWN)
    return path.read_text().splitlines()


def refused(path, lines):
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidValue) as caught:
        read_csv(path, ARM)
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_was_written_is_read_again(path):
    write_csv(path, SHOWN)
    read = read_csv(path, ARM)
    assert read.joints == ARM.joints
    np.testing.assert_array_equal(read.times, SHOWN.times)
    np.testing.assert_array_equal(read.positions, SHOWN.positions)
    assert read.remarks == ()


def test_columns_are_found_by_name_and_other_devices_are_left_out():
    order = [3, 1, 0, 2, 5, 4]
    names = ["gripper_finger_joint", *(ARM.joints[i] for i in order)]
    table = np.concatenate([np.zeros((len(SHOWN.times), 1)), SHOWN.positions[:, order]], axis=1)
    read = recording_of(names, SHOWN.times + 1.7e9, table, ARM, "bag")
    np.testing.assert_array_equal(read.positions, SHOWN.positions)
    np.testing.assert_allclose(read.times, SHOWN.times, atol=1e-6)
    assert "gripper_finger_joint" in read.remarks[0]


def test_a_prefix_of_all_joints_is_taken_off():
    names = [f"left_{joint}" for joint in ARM.joints]
    read = recording_of(names, SHOWN.times, SHOWN.positions, ARM)
    assert read.joints == ARM.joints


def without_a_joint(lines):
    return [line.rpartition(",")[0] for line in lines]


def changed(row, column, text):
    def change(lines):
        values = lines[row].split(",")
        values[column] = text
        return [*lines[:row], ",".join(values), *lines[row + 1 :]]

    return change


BAD_FILES = {
    "nothing": (lambda lines: [], Kind.FORM, "first line"),
    "no time": (lambda lines: ["t" + lines[0], *lines[1:]], Kind.FORM, "time,<joint>"),
    "header alone": (lambda lines: lines[:1], Kind.FORM, "0 samples"),
    "too few samples": (lambda lines: lines[:MIN_SAMPLES], Kind.FORM, f"{MIN_SAMPLES - 1} samples"),
    "a joint is missing": (without_a_joint, Kind.WRONG_JOINTS, "wrist_3_joint"),
    "a joint twice": (changed(0, 1, ARM.joints[1]), Kind.DUPLICATE, ARM.joints[1]),
    "NaN": (changed(9, 3, "nan"), Kind.NOT_FINITE, r"line 10: elbow_joint is nan"),
    "infinite time": (changed(9, 0, "inf"), Kind.NOT_FINITE, r"line 10: time is inf"),
    "no number": (changed(9, 3, "1,5"), Kind.FORM, "line 10 has 8 values, the header 7"),
    "one number in two": (changed(9, 3, "1_0"), Kind.FORM, "line 10: elbow_joint is '1_0'"),
    "foreign digits": (changed(9, 3, "\u0661"), Kind.FORM, "line 10: elbow_joint is"),
    "no end of a text": (changed(9, 3, '"' + 200_000 * "x"), Kind.FORM, "line 10 is no CSV"),
    "text behind an empty line": (
        lambda lines: changed(9, 3, "fast")(["", *lines]),
        Kind.FORM,
        "line 10: elbow_joint is 'fast'",
    ),
    "text": (changed(9, 3, "fast"), Kind.FORM, "line 10: elbow_joint is 'fast'"),
    "repeated stamp": (
        lambda lines: [*lines[:20], lines[19], *lines[20:]],
        Kind.TIMES,
        "line 21: time .* repeats",
    ),
    "time runs back": (
        lambda lines: [*lines[:20], lines[10], *lines[20:]],
        Kind.TIMES,
        "line 21: time .* lies before",
    ),
    "gap": (lambda lines: [*lines[:200], *lines[230:]], Kind.SPACING, r"line 201: gap of 0\.2"),
    "outside its limits": (changed(9, 3, "3.3"), Kind.JOINT_LIMIT, "line 10: elbow_joint is 3.3"),
    "degrees": (changed(9, 3, "79.8"), Kind.JOINT_LIMIT, "must be in rad"),
    "wrapped": (changed(9, 1, "-3.5"), Kind.SPACING, "line 10: shoulder_pan_joint jumps"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_file_is_one_clear_line(path, fault):
    change, kind, words = BAD_FILES[fault]
    error = refused(path, change(lines_of(path)))
    assert error.refusal.kind is kind
    assert re.search(words, str(error)), str(error)
    assert str(error).startswith(str(path))


def test_a_missing_file_is_named(path):
    with pytest.raises(InvalidValue, match=r"cannot read recording .*push\.csv"):
        read_csv(path, ARM)


def joined(*parts):
    positions = np.concatenate([part.positions for part in parts])
    return JointRecording(ARM.joints, np.arange(len(positions)) / 125.0, positions)


def back(recording):
    return joined(JointRecording(ARM.joints, recording.times, recording.positions[::-1]))


def resting():
    noise = 1e-4 * np.random.default_rng(0).standard_normal((500, 6))
    return JointRecording(ARM.joints, np.arange(500) / 125.0, ARM.home + noise)


BAD_MOTIONS = {
    "never moves": (resting, Kind.NO_MOTION, "nothing moves"),
    "begins in motion": (lambda: SHOWN.between(1.5, 9.0), Kind.NOT_AT_REST, "begins in motion"),
    "ends in motion": (lambda: SHOWN.between(0.0, 1.8), Kind.NOT_AT_REST, "ends in motion"),
    "two motions": (lambda: joined(SHOWN, back(SHOWN)), Kind.DUPLICATE, "2 motions"),
}


@pytest.mark.parametrize("fault", BAD_MOTIONS)
def test_a_recording_without_just_one_motion_is_refused(fault):
    make, kind, words = BAD_MOTIONS[fault]
    with pytest.raises(InvalidValue, match=words) as caught:
        demonstration_of([make()], ARM)
    assert caught.value.refusal.kind is kind
    assert "\n" not in str(caught.value)


def test_the_choice_that_is_offered_for_two_motions_holds_one():
    both = joined(SHOWN, back(SHOWN))
    with pytest.raises(InvalidValue) as caught:
        demonstration_of([both], ARM)
    first, last = map(float, re.search(r"--between ([\d.]+),([\d.]+)", str(caught.value)).groups())
    alone, chosen = (
        demonstration_of([SHOWN], ARM),
        demonstration_of([both.between(first, last)], ARM),
    )
    assert chosen.length == pytest.approx(alone.length, abs=0.005)
    assert chosen.speed == pytest.approx(alone.speed, abs=0.01)


def test_a_plan_from_rest_to_rest_needs_no_rest_beside_it():
    times = np.arange(0.0, 2.0, 0.02)
    plan = slow_move(ARM, ARM.home, ARM.home + np.array([0.4, 0, 0, 0, 0, 0]), 0.1, dwell=0.0)
    q, _, _ = plan.sample(times * plan.duration / times[-1])
    shown = demonstration_of([recording_of(ARM.joints, times, q, ARM)], ARM)
    np.testing.assert_allclose(shown.positions[[0, -1]], plan.positions[[0, -1]], atol=5e-3)


def test_several_recordings_are_told_apart():
    with pytest.raises(InvalidValue, match="recording 2: nothing moves"):
        demonstration_of([SHOWN, resting()], ARM)


def test_a_part_that_holds_nothing_is_refused():
    with pytest.raises(InvalidValue, match=r"between = 90,99 s leaves 0 samples"):
        SHOWN.between(90.0, 99.0)


def test_joints_of_another_arm_are_refused():
    with pytest.raises(InvalidValue, match="fr3"):
        demonstration_of([SHOWN], find_arm("fr3"))


def test_a_small_movement_beside_the_motion_is_ignored_and_said():
    fidget = JointRecording(
        ARM.joints,
        SHOWN.times,
        SHOWN.positions[:1] + 0.02 * (SHOWN.positions - SHOWN.positions[:1]),
    )
    fast = JointRecording(ARM.joints, SHOWN.times / 4, fidget.positions)
    even = np.arange(0.0, fast.times[-1], 0.008)
    resampled = np.stack([np.interp(even, fast.times, c) for c in fast.positions.T], axis=1)
    shifted = resampled - resampled[-1] + SHOWN.positions[0]
    shown = demonstration_of([joined(JointRecording(ARM.joints, even, shifted), SHOWN)], ARM)
    assert "small movements" in " ".join(shown.remarks)
    assert shown.length == pytest.approx(demonstration_of([SHOWN], ARM).length, abs=0.005)


def test_the_way_back_without_a_rest_is_left_out():
    once = thrown(ARM, 0)
    way = once.positions[75:-115]
    hold = np.repeat(way[:1], 80, axis=0)
    there_and_back = joined(
        *(JointRecording(ARM.joints, once.times, q) for q in (hold, way[::2], way[::-1], hold))
    )
    shown = demonstration_of([there_and_back], ARM)
    assert "turns or pauses" in " ".join(shown.remarks)
    farthest = np.linalg.norm(ARM.tool_pose(shown.positions[-1])[0] - ARM.tool_pose(way[-1])[0])
    assert farthest < 0.01


def test_a_slow_recording_and_uneven_stamps_give_the_same_path():
    rng = np.random.default_rng(3)
    times = SHOWN.times + np.concatenate([[0.0], rng.uniform(0.0, 0.003, len(SHOWN.times) - 1)])
    positions = np.stack([np.interp(times, SHOWN.times, c) for c in SHOWN.positions.T], axis=1)
    slow = recording_of(ARM.joints, times[::5], positions[::5], ARM)
    one, other = demonstration_of([SHOWN], ARM), demonstration_of([slow], ARM)
    points = [ARM.tool_pose(shown.positions)[0] for shown in (one, other)]
    assert np.linalg.norm(points[0] - points[1], axis=1).max() < 0.004
    assert other.speed == pytest.approx(one.speed, rel=0.06)
