"""Solids of arms and scenes: they have the size of what they stand for, and face outwards."""

import numpy as np
import pytest

from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Capsule
from icpi_ros.tasks import TASKS
from icpi_ros.view.shapes import capsule, pieces, surroundings


def volume(vertices, faces):
    """Return the signed volume: negative where faces look inwards."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


@pytest.mark.parametrize("end", [[0.0, 0.0, 0.3], [0.2, -0.1, 0.05], [0.0, 0.0, 0.0]])
def test_a_capsule_is_all_points_near_its_line(end):
    piece = Capsule("arm", 1, np.array([0.1, 0.0, 0.0]), np.array([0.1, 0.0, 0.0]) + end, 0.05)
    vertices, faces = capsule(piece, skin=0.01)
    way = np.array(end)
    along = (vertices - piece.start) @ way / max(way @ way, 1e-12)
    nearest = piece.start + np.clip(along, 0.0, 1.0)[:, np.newaxis] * way
    np.testing.assert_allclose(np.linalg.norm(vertices - nearest, axis=1), 0.06, atol=1e-9)
    whole = np.pi * 0.06**2 * (np.linalg.norm(way) + 4.0 / 3.0 * 0.06)
    assert 0.93 * whole < volume(vertices, faces) < whole


@pytest.mark.parametrize("name", ["slide", "rope-swing", "toss-gc"])
def test_a_scene_has_what_stands_there_and_what_moves(name):
    task = TASKS.get(name)
    found = surroundings(task, ARMS.get(task.arm))
    assert found.fixed
    assert np.isfinite(found.start).all()
    for solid in found.moved:
        assert volume(solid.vertices, solid.faces) > 0.0
        assert np.abs(solid.vertices).max() < 0.3, "around the tracked point"


def test_every_arm_can_be_drawn():
    for name in ARMS:
        arm = ARMS.get(name)
        assert len(pieces(arm)) == len(arm.collision_geometry)
