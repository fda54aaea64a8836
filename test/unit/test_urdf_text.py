import numpy as np
import pytest

from icpi_ros.core.resources import share_path
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.description.urdf import read_urdf
from icpi_ros.robots.description.urdf_text import link_names, tool_frame, urdf_text

DESCRIBED = [str(share_path("config", "arms", name)) for name in ("ur5e.yaml", "fr3.yaml")]


def turned(axis, angle):
    """Rodrigues' rotation as a frame."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    frame = np.eye(4)
    frame[:3, :3] += np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return frame


@pytest.mark.parametrize("name", [*ARMS, *DESCRIBED])
def test_a_reader_of_urdf_finds_the_same_arm(name, tmp_path):
    arm = find_arm(name)
    (tmp_path / "arm.urdf").write_text(urdf_text(arm))
    chain = read_urdf(tmp_path / "arm.urdf", "base", "tool")
    assert chain.joints == arm.joints
    for limit in ("lower", "upper", "velocity"):
        np.testing.assert_array_equal(getattr(chain, limit), getattr(arm.limits, limit))
    rng = np.random.default_rng(0)
    for _ in range(5):
        q = rng.uniform(arm.limits.lower, arm.limits.upper)
        frame, links = np.eye(4), arm.links(q)
        for i, (origin, axis) in enumerate(zip(chain.origins, chain.axes, strict=True)):
            frame = frame @ origin @ turned(axis, q[i])
            np.testing.assert_allclose(frame, links[i + 1], atol=1e-9)
        np.testing.assert_allclose(frame @ chain.flange, tool_frame(arm, q), atol=1e-9)
    assert len(link_names(arm)) == len(arm.joints) + 1


def test_every_piece_is_drawn_where_it_is():
    import mujoco  # reads URDF, too

    arm = ARMS.get("ur5e")
    model = mujoco.MjModel.from_xml_string(urdf_text(arm))
    data = mujoco.MjData(model)
    data.qpos[:] = arm.home
    mujoco.mj_forward(model, data)
    drawn = data.geom_xpos[model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE]
    frames = arm.links(arm.home)
    for piece in arm.collision_geometry:
        for end in (piece.start, piece.end):
            place = (frames[piece.link] @ [*end, 1.0])[:3]
            assert np.linalg.norm(drawn - place, axis=1).min() < 1e-6, piece.name
