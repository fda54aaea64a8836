"""Frame, clock and unit of poses: moved to ours, or refused by name with the remedy."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker import SECOND, START, STOP, fed, place, samples, seen, source

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.poses.frames import (
    MAX_MOVING,
    MAX_TOLD,
    FrameMessages,
    FrameTree,
    Transform,
)
from icpi_ros.perception.poses.placing import NotPlaced
from icpi_ros.perception.poses.sample import read_pose
from icpi_ros.perception.poses.settings import PoseSettings, transform_of

S = np.sqrt(0.5)
TABLE = (0.4, -0.2, 0.05, 0.0, 0.0, S, S)  # turned by 90 deg about z
CAMERA = (0.1, 0.3, 1.5, 1.0, 0.0, 0.0, 0.0)  # looks down
SPIN = (0.0, 0.0, 0.2, 0.0, S, 0.0, S)
Axes = SimpleNamespace


def transform(numbers):
    return transform_of(list(numbers))


def told(parent, child, numbers, ns=START):
    """A transform as /tf has it: the pose of ``child`` in ``parent``."""
    x, y, z, qx, qy, qz, qw = numbers
    stamp = Axes(sec=ns // SECOND, nanosec=ns % SECOND)
    return Axes(
        header=Axes(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=Axes(
            translation=Axes(x=x, y=y, z=z), rotation=Axes(x=qx, y=qy, z=qz, w=qw)
        ),
    )  # fmt: skip


def inverse(numbers):
    back = transform(numbers).inverse
    w = 0.5 * np.sqrt(max(0.0, 1.0 + np.trace(back.rotation)))
    turn = [-numbers[3], -numbers[4], -numbers[5], numbers[6]]
    assert abs(w - abs(numbers[6])) < 1e-9
    return (*back.translation.tolist(), *turn)


def in_frame(pose, frame, found=None):
    """Samples as a tracker sends them whose frame has ``pose`` in base."""
    back = pose.inverse
    return [
        replace(s, position=back.apply(s.position), frame=frame) for s in found or samples(20.0)
    ]


def with_frames(found, *messages):
    frames = tuple((Axes(transforms=list(items)), fixed) for items, fixed in messages)
    return [replace(found[0], frames=frames), *found[1:]]


def same(found):
    expected = seen(samples(20.0))
    np.testing.assert_allclose(found.path.positions, expected.path.positions, atol=1e-9)
    assert found.quality.good
    return True


# --- frames -------------------------------------------------------------------------------------

TREES = {
    "direct": (transform(TABLE), [([told("base", "world", TABLE)], True)]),
    "ROS 1 slashes": (transform(TABLE), [([told("/base", "/world", TABLE)], True)]),
    "the other way round": (transform(TABLE), [([told("world", "base", inverse(TABLE))], True)]),
    "over a table": (
        transform(TABLE) @ transform(CAMERA),
        [([told("base", "table", TABLE), told("table", "world", CAMERA)], True)],
    ),
    "from a shared root": (
        transform(TABLE).inverse @ transform(CAMERA),
        [([told("map", "base", TABLE)], True), ([told("map", "world", CAMERA)], True)],
    ),
    "the newer of two": (
        transform(TABLE),
        [([told("base", "world", CAMERA)], True), ([told("base", "world", TABLE)], True)],
    ),
    "beside one that is none": (
        transform(TABLE),
        [([told("base", "world", TABLE), told("base", "world", (0.0,) * 7)], True)],
    ),
    "moving": (
        transform(TABLE),
        [([told("base", "world", TABLE, START + n * SECOND // 8) for n in range(-8, 24)], False)],
    ),
}


@pytest.mark.parametrize(("pose", "messages"), TREES.values(), ids=TREES)
def test_poses_are_moved_along_tf(pose, messages):
    assert same(seen(with_frames(in_frame(pose, "world"), *messages)))


@pytest.mark.parametrize(
    ("numbers", "frame"),
    [
        (TABLE, "world"),
        (CAMERA, "camera_color_optical_frame"),
        (SPIN, ""),
        ((0.1, 0.2, 0.3, 0.1, -0.2, 2.0), "mocap"),
        ((0, 0, 0, 0, 0, 0, 1), "world"),
        ((0, 0, 0, 0, 0, 0), "base_link"),
    ],
)
def test_poses_are_moved_by_a_given_transform(numbers, frame):
    found = in_frame(transform(numbers), frame)
    assert same(seen(found, source(pose_transform=list(numbers))))


FOREIGN = {
    "vrpn": ("world", (), "poses are in frame 'world', not 'base', and /tf does not know 'world'"),
    "optical": ("camera_optical_frame", (), "/tf does not know 'camera_optical_frame'"),
    "empty": ("", (), "poses have no frame_id"),
    "slash": ("/", (), "poses have no frame_id"),
    "base_link": ("base_link", (), "poses are in frame 'base_link', not 'base'"),
    "another arm's": ("lab/base", (), "poses are in frame 'lab/base'"),
    "not to base": ("world", [told("map", "world", TABLE)], "/tf does not know 'base'"),
    "apart": (
        "world",
        [told("map", "world", TABLE), told("odom", "base", TABLE)],
        "/tf has no transform from it to 'base'",
    ),
    "NaN": ("world", [told("base", "world", (np.nan,) * 7)], "/tf does not know 'world'"),
    "an escape": (
        "world",
        [told("map", "a\n\x1b[31m" + 9000 * "b", TABLE)],
        r"(its frames: a\n\x1b[31mbbb",
    ),
    "more frames than are kept": (
        "late",
        [told("base", f"link_{n}", TABLE) for n in range(MAX_MOVING)]
        + [told("base", "late", SPIN)],
        "of the frames told, the first 2000 (200 moving) are kept",
    ),
    "ring": (
        "world",
        [told("a", "world", TABLE), told("b", "a", TABLE), told("world", "b", TABLE)],
        "/tf does not know 'base'",
    ),
}


@pytest.mark.parametrize(("frame", "messages", "words"), FOREIGN.values(), ids=FOREIGN)
def test_a_frame_that_leads_nowhere_is_refused_with_the_remedy(frame, messages, words):
    found = [replace(sample, frame=frame) for sample in samples(20.0)]
    made = fed(with_frames(found, (messages, len(messages) <= MAX_MOVING)))
    assert made.measured == []
    why = made.path(START, STOP).reason
    assert words in why
    assert len(why) < 600
    assert why.isprintable()
    assert "pose_transform:=x,y,z,qx,qy,qz,qw" in why
    assert made.refused[0] in why
    assert made.placing.foreign == bool(frame.strip("/"))  # then /tf is listened to


@pytest.mark.parametrize("off", [-0.5, 0.5])
def test_a_moving_frame_of_another_time_is_not_used(off):
    message = told("base", "world", TABLE, START - SECOND)
    tree = FrameTree()
    tree.learn(Axes(transforms=[message]), fixed=False)
    assert tree.pose("world", START - SECOND + SECOND // 10) is not None
    assert tree.pose("world", round(START + (off - 1.0) * SECOND)) is None


def test_of_frames_beyond_the_bound_those_that_never_move_are_kept():
    tree = FrameTree()
    moving = [told("base", f"link_{n}", SPIN) for n in range(MAX_MOVING)]
    tree.learn(Axes(transforms=moving), fixed=False)
    assert not tree.full
    tree.learn(Axes(transforms=[told("base", "late", TABLE)]), fixed=False)
    assert (tree.full, tree.pose("late", START)) == (True, None)
    tree.learn(Axes(transforms=[told("base", "late", TABLE)]), fixed=True)
    np.testing.assert_array_equal(tree.pose("late", START).translation, TABLE[:3])


def test_what_never_moves_is_kept_until_the_next_pose_comes():
    waiting = FrameMessages()
    waiting.add(Axes(transforms=[told("base", "world", TABLE)]), fixed=True)
    for n in range(2 * MAX_TOLD):
        waiting.add(Axes(transforms=[told("base", "wrist", SPIN, START + n)]), fixed=False)
        waiting.add(Axes(transforms=[told("base", "again", SPIN)]), fixed=True)
    found = waiting.take()
    assert [fixed for _, fixed in found] == [True] * 2 + [False] * MAX_TOLD
    assert waiting.take() == ()


@pytest.mark.parametrize("speed", [-0.5, 0.5])
def test_a_frame_that_moved_on_since_it_was_told_is_not_used(speed):
    tree, period = FrameTree(), SECOND // 100
    for n in range(-20, 1):
        for late in (0, 1000):  # in bursts, with noise
            place = (speed * n / 100 + 0.0005 * (late > 0), 0.0, 0.3, *TABLE[3:])
            message = told("base", "wrist", place, START + n * period + late)
            tree.learn(Axes(transforms=[message]), fixed=False)
    assert tree.pose("wrist", START + period // 2) is not None
    assert tree.pose("wrist", START - 5 * period - period // 2) is not None
    assert tree.pose("wrist", START + 3 * period) is None


def test_a_pose_in_base_and_a_transform_contradict_each_other():
    made = fed(samples(20.0), source(pose_transform=list(TABLE)))
    assert "poses are in frame 'base' already, and pose_transform is given" in made.refused[0]


def test_a_source_of_somebody_else_vouches_for_its_frame():
    assert same(seen([replace(s, frame=None, orientation=None) for s in samples(20.0)]))


WRONG = {
    "five": [1.0] * 5,
    "eight": [0.0] * 8,
    "norm": [0.0] * 7,
    "norm 2": [0, 0, 0, 0, 0, 0, 2.0],
    "NaN": [np.nan, 0, 0, 0, 0, 0],
}


@pytest.mark.parametrize("numbers", WRONG.values(), ids=WRONG)
def test_a_transform_that_is_none_is_refused(numbers):
    with pytest.raises(InvalidValue, match=r"pose_transform = .* is not allowed: x,y,z \[m\] and"):
        PoseSettings.of({"pose_transform": numbers})


angles = st.floats(-3.1, 3.1)
metres = st.floats(-2.0, 2.0)


@settings(max_examples=40, deadline=None)
@given(st.tuples(metres, metres, metres, angles, angles, angles), st.tuples(metres, metres, metres))
def test_there_and_back_is_where_one_was(numbers, point):
    made = Transform.of_numbers(numbers)
    np.testing.assert_allclose(made.rotation @ made.rotation.T, np.eye(3), atol=1e-12)
    pitch, yaw = numbers[4:]
    about_z = np.array([np.cos(yaw), np.sin(yaw)])
    np.testing.assert_allclose(  # the x axis, which roll does not turn
        made.rotation[:, 0], [*np.cos(pitch) * about_z, -np.sin(pitch)], atol=1e-12
    )
    np.testing.assert_allclose(made.inverse.apply(made.apply(np.array(point))), point, atol=1e-9)


# --- clock --------------------------------------------------------------------------------------


def received(found, delay=0.01):
    return [replace(s, received=s.ns + round(delay * SECOND)) for s in found]


def stamped(found, offset):
    return [replace(s, ns=s.ns + round(offset * SECOND)) for s in found]


CLOCKS = {
    "uptime": (-99.0, "99 s behind"),
    "1.5 s behind": (-1.5, "1.51 s behind"),
    "0.3 s ahead": (0.3, "0.29 s ahead of"),
    "an hour ahead": (3600.0, "3.6e+03 s ahead of"),
    "a year ahead": (365 * 86400.0, "365 days ahead of"),
}


@pytest.mark.parametrize(("offset", "words"), CLOCKS.values(), ids=CLOCKS)
def test_a_clock_of_somebody_else_is_named_with_its_offset(offset, words):
    made = fed(stamped(received(samples()), offset))
    assert made.measured == []
    assert f"stamps of poses are {words} this computer's clock" in made.refused[0]
    assert "pose_stamps:=received" in made.path(START, STOP).reason


@pytest.mark.parametrize("offset", [*(offset for offset, _ in CLOCKS.values()), 0.0])
def test_times_of_arrival_count_where_they_are_asked_for(offset):
    late = stamped(received(samples(), 0.0), offset)
    found = seen(late, source(pose_stamps="received"))
    np.testing.assert_array_equal(found.path.positions, seen(samples()).path.positions)
    assert found.quality.good


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.2, 0.9, -0.05])
def test_a_delay_is_no_other_clock(delay):
    found = seen(received(samples(), delay))
    np.testing.assert_array_equal(found.path.positions, seen(samples()).path.positions)


def test_one_message_that_was_held_up_costs_itself_alone():
    late = received(samples())
    late[100] = replace(late[100], received=late[100].ns + 3 * SECOND)
    made = fed(late)
    assert len(made.measured) == len(late) - 1
    assert made.path(START, STOP).quality.good


def test_poses_without_stamps_are_named():
    made = fed([replace(sample, ns=0) for sample in samples(20.0)])
    assert "poses are not stamped (time 0)" in made.refused[0]


def test_times_of_arrival_cannot_count_where_they_are_not_known():
    made = fed(samples(20.0), source(pose_stamps="received"))
    assert "times of arrival are those of another clock" in made.refused[0]


# --- unit ---------------------------------------------------------------------------------------


def scaled(found, factor, to=1.0):
    return [replace(s, position=s.position * factor) for s in found]


@pytest.mark.parametrize(
    ("unit", "factor", "numbers"),
    [
        ("mm", 1000.0, None),
        ("cm", 100.0, None),
        ("mm", 1000.0, TABLE),
        ("cm", 100.0, CAMERA),
        ("mm", 1000.0, (0.6, -0.1, 0.01, 0.0, 0.0, 0.0, 1.0)),
    ],
)
def test_another_unit_is_noticed_and_with_its_name_it_is_right(unit, factor, numbers):
    given = {} if numbers is None else {"pose_transform": list(numbers)}
    metres = samples(20.0) if numbers is None else in_frame(transform(numbers), "world")
    found = scaled(metres, factor)
    why = seen(found, source(**given)).reason
    assert f"m if its unit is {unit}" in why
    assert f"pose_unit:={unit}" in why
    assert same(seen(found, source(pose_unit=unit, **given)))


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_near_the_origin_of_a_tracker_millimetres_are_doubted_too(at):
    numbers = [*place(START + round(at * SECOND)), 0.0, 0.0, 0.0, 1.0]  # the object is there
    found = scaled(in_frame(transform(numbers), "world", samples()), 1000.0)
    made = fed(found, source(pose_transform=numbers))
    path = made.path(START, STOP)
    assert "pose_unit:=mm" in (path.reason or path.quality.reason)
    assert not any(m.at_rest for m in made.measured if START + 0.5 * SECOND < m.ns < STOP)


@pytest.mark.parametrize("far", [30.0, 1e4, np.array([0.0, 0.0, -25.0])])
def test_nothing_is_that_far_away(far):
    found = [replace(s, position=s.position + far) for s in samples(20.0)]
    refused = fed(found).refused[0]
    assert "from the arm's foot" in refused
    assert "pose_unit" in refused


@pytest.mark.parametrize("unit", ["mm"])
def test_metres_that_are_called_millimetres_are_in_the_arms_foot(unit):
    refused = fed(samples(20.0), source(pose_unit=unit)).refused[0]
    assert "mm from the arm's foot, where the arm itself is: is its unit mm" in refused


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.4, 0.8), st.floats(-0.8, 1.4), st.floats(0.0, 1.2))
def test_what_an_arm_can_reach_is_never_doubted(x, y, z):
    made = source()
    position = np.array([x, y, z])
    if not position.any():
        return
    np.testing.assert_array_equal(made.placing.place(position, "base", START), position)
    for scale in (100.0, 1000.0):
        if np.linalg.norm(position) * scale > 4.0 / 0.999:
            with pytest.raises(NotPlaced, match="give pose_unit:="):
                made.placing.place(position * scale, "base", START)


# --- messages -----------------------------------------------------------------------------------


def message(kind, position=(0.6, 0.1, 0.01), covariance=None):
    x, y, z = position
    head = Axes(stamp=Axes(sec=5, nanosec=7), frame_id="world")
    spot, turn = Axes(x=x, y=y, z=z), Axes(x=0.0, y=0.0, z=0.0, w=1.0)
    pose = Axes(position=spot, orientation=turn)
    if kind in ("odometry", "covariance"):
        pose = Axes(pose=pose, covariance=[0.0] * 36 if covariance is None else covariance)
    inner = {
        "transform": {"transform": Axes(translation=spot, rotation=turn), "child_frame_id": "puck"},
        "point": {"point": spot},
        "odometry": {"pose": pose, "twist": None, "child_frame_id": "puck"},
    }
    return Axes(header=head, **inner.get(kind, {"pose": pose}))


@pytest.mark.parametrize("kind", ["pose", "covariance", "odometry", "transform", "point"])
def test_what_trackers_send_is_read(kind):
    sample = read_pose(message(kind))
    assert (sample.ns, sample.frame) == (5 * SECOND + 7, "world")
    np.testing.assert_array_equal(sample.position, [0.6, 0.1, 0.01])
    assert (sample.orientation is None) == (kind == "point")
    assert sample.variance == (0.0 if kind in ("covariance", "odometry") else None)


def test_a_message_without_a_position_is_refused():
    with pytest.raises(InvalidValue, match="holds no position"):
        read_pose(Axes(header=None))
