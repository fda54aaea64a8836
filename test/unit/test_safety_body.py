"""The arm's pieces: what is compared with the table, what with each other."""

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from independent_check import ends, segment_distance

from icpi_ros.core.errors import InvalidValue
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Capsule
from icpi_ros.robots.collision import CLEARANCE, FAR, CollisionGeometry
from icpi_ros.robots.ur5e import D4, UR5E, Ur5e

BODY = CollisionGeometry(UR5E)
POSES = np.random.default_rng(8).uniform(-2.5, 2.5, (60, 6))


def ball(name, link, at, radius):
    return Capsule(name, link, np.array(at, float), np.array(at, float), radius)


class WithBalls(Ur5e):
    """A UR5e with more pieces, one of them without length."""

    balls = ()

    @property
    def collision_geometry(self):
        return (*super().collision_geometry, *self.balls)


def test_only_what_can_come_down_is_compared_with_the_table():
    assert [BODY.pieces[i].name for i in BODY.free] == [
        piece.name for piece in UR5E.collision_geometry if piece.link > 1
    ]
    lowest = BODY.lowest(UR5E.links(POSES))
    for column, i in enumerate(BODY.free):
        heights = (
            ends(UR5E, UR5E.links(POSES))[2, :, i].min(axis=0) - UR5E.collision_geometry[i].radius
        )
        np.testing.assert_allclose(lowest[:, column], heights, atol=1e-12)


class Leaning(Ur5e):
    """A UR5e whose first joint does not turn about the vertical."""

    def links(self, q):
        tilt, angle = np.eye(4), 0.3
        tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return tilt @ super().links(q)


@pytest.mark.parametrize("name", ARMS.names())
def test_all_kinematics_at_once_are_what_each_map_gives(name):
    arm = ARMS.get(name)
    q = arm.home + np.random.default_rng(1).uniform(-1.0, 1.0, (40, len(arm.joints)))
    expected = (arm.links(q), arm.jacobian(q), arm.tool_pose(q)[0])
    for found, wanted in zip(arm.kinematics(q), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ARMS.names())
@pytest.mark.parametrize("where", ["of the class", "of a subclass", "of the arm itself"])
@pytest.mark.parametrize(("place", "changed"), list(enumerate(["links", "jacobian", "tool_pose"])))
def test_an_overridden_map_is_never_left_out(name, where, place, changed, monkeypatch):
    plain = ARMS.get(name)
    arm, kind, q = copy.copy(plain), type(plain), plain.home[np.newaxis]
    if where == "of a subclass":
        arm.__class__ = kind = type("Other", (kind,), {})
    own, before = getattr(plain, changed), plain.kinematics(q)

    def other(*given):
        found = own(given[-1])
        return (found[0] + 1.0, found[1]) if changed == "tool_pose" else found + 1.0

    monkeypatch.setattr(arm if where == "of the arm itself" else kind, changed, other)
    for i, (found, was) in enumerate(zip(arm.kinematics(q), before, strict=True)):
        np.testing.assert_array_equal(found, was + (i == place))


def test_a_first_link_that_can_come_down_is_compared_with_the_table_too():
    body = CollisionGeometry(Leaning())
    assert {body.pieces[i].link for i in body.free} == {
        piece.link for piece in UR5E.collision_geometry if piece.link > 0
    }
    assert 1 in {piece.link for piece in UR5E.collision_geometry}


def test_the_nearest_pair_is_the_one_that_geometry_says():
    for pose in POSES:
        points = ends(UR5E, UR5E.links(pose[np.newaxis]))
        expected = min(
            segment_distance(points[:, :, i], points[:, :, j])[0] - a.radius - b.radius
            for (i, a), (j, b) in itertools.combinations(enumerate(UR5E.collision_geometry), 2)
            if abs(a.link - b.link) > 1
        )
        distance, one, other = BODY.nearest(UR5E.links(pose))
        assert distance == pytest.approx(min(expected, FAR), abs=1e-9)
        assert {one, other} <= {piece.name for piece in UR5E.collision_geometry}


def test_a_joint_moves_no_point_farther_than_its_reach_says():
    step = 1e-6
    for pose, joint in itertools.product(POSES[:20], range(6)):
        both = np.stack([pose, pose + step * np.eye(6)[joint]])
        before, after = np.moveaxis(ends(UR5E, UR5E.links(both)), -1, 0)
        shift = np.linalg.norm(after - before, axis=0).max() / step
        assert shift <= BODY.reach[joint] * (1 + 1e-6)


def test_pieces_with_one_link_between_them_may_touch_by_construction():
    arm = WithBalls()
    arm.balls = (ball("collar", 6, (0, 0, 0), 0.05), ball("ring", 4, (0, 0, D4), 0.06))
    body = CollisionGeometry(arm)
    names = {(body.pieces[i].name, body.pieces[j].name) for i, j in body.pairs}
    assert ("collar", "ring") not in names
    assert ("forearm", "ring") not in names  # neighbours
    assert ("upper arm", "ring") in names
    assert body.nearest(arm.links(arm.home))[0] >= CLEARANCE


def test_an_arm_that_touches_itself_at_home_is_refused():
    arm = WithBalls()
    arm.balls = (ball("lump", 6, (0, 0, 0), 0.5),)
    with pytest.raises(InvalidValue, match=r"arm ur5e: .*lump.* at home: choose another home"):
        CollisionGeometry(arm)


def test_several_threads_may_ask_the_same_body():
    links = UR5E.links(POSES)
    expected = [BODY.nearest(frames) for frames in links]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: [BODY.nearest(f) for f in links], range(20)):
            assert found == expected
