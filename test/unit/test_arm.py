import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from icpi_ros.core.resources import share_path
from icpi_ros.motion.primitives import strike_rotation
from icpi_ros.robots import find_arm
from icpi_ros.robots.arm_text import limits_digest
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.robots.ur5e_stick import UR5E_STICK
from icpi_ros.sim.world import World
from icpi_ros.tasks.slide import SLIDE

SURE_REACH = 0.85
"""Every pose this near to the base is within reach [m]; farther ones may be."""
angles = st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6).map(np.array)


@given(st.floats(0.4, 0.7), st.floats(-0.4, 0.4), st.floats(0.01, 0.4), st.floats(-1.5, 1.5))
def test_inverse_is_exact_where_it_answers(x, y, z, heading):
    position, rotation = np.array([x, y, z]), strike_rotation(np.array(heading))
    q = UR5E.ik(position, rotation)
    if np.linalg.norm(position) > SURE_REACH:
        assume(np.isfinite(q).all())
    assert np.isfinite(q).all()
    reached, turned = UR5E.tool_pose(q)
    np.testing.assert_allclose(reached, position, atol=1e-9)
    np.testing.assert_allclose(turned, rotation, atol=1e-9)


def test_out_of_reach_is_nan_not_a_guess():
    q = UR5E.ik(np.array([1.5, 0.0, 0.1]), strike_rotation(np.array(0.0)))
    assert np.isnan(q).any()


@given(angles)
def test_jacobian_is_the_derivative_of_the_tool_point(q):
    step = 1e-6
    for joint in range(6):
        dq = step * np.eye(6)[joint]
        moved = (UR5E.tool_pose(q + dq)[0] - UR5E.tool_pose(q - dq)[0]) / (2 * step)
        np.testing.assert_allclose(UR5E.jacobian(q)[:3, joint], moved, atol=1e-7)


def test_kinematics_agree_with_the_simulated_arm():
    world = World(SLIDE, UR5E, np.array([0.2, 0.2, 0.0]))
    rng = np.random.default_rng(3)
    for q in rng.uniform(-2.5, 2.5, (20, 6)):
        world.reset(q)
        site = world.data.site("tool")
        position, rotation = UR5E.tool_pose(q)
        np.testing.assert_allclose(site.xpos, position, atol=1e-9)
        np.testing.assert_allclose(site.xmat.reshape(3, 3), rotation, atol=1e-9)


def test_links_and_body_agree_with_the_simulated_arm():
    world = World(SLIDE, UR5E, np.array([0.2, 0.2, 0.0]))
    for q in np.random.default_rng(4).uniform(-2.5, 2.5, (20, 6)):
        world.reset(q)
        frames = UR5E.links(q)
        np.testing.assert_allclose(frames[0], np.eye(4))
        for link in range(1, 7):
            body = world.data.body(f"link_{link}")
            np.testing.assert_allclose(frames[link, :3, 3], body.xpos, atol=1e-9)
            np.testing.assert_allclose(frames[link, :3, :3], body.xmat.reshape(3, 3), atol=1e-9)
        blade = next(piece for piece in UR5E.collision_geometry if piece.name == "blade")
        middle = frames[6] @ np.append(0.5 * (blade.start + blade.end), 1.0)
        np.testing.assert_allclose(middle[:3], UR5E.tool_pose(q)[0], atol=1e-9)


def test_the_limits_are_those_that_logs_and_data_sets_know_by_their_hash():
    assert limits_digest(UR5E.limits) == "9226e1948114"
    assert limits_digest(UR5E_STICK.limits) == "56cef5b782fa"


def test_the_built_in_arm_takes_its_numbers_from_its_file():
    described = find_arm(str(share_path("config", "arms", "ur5e.yaml")))
    assert UR5E.joints == described.joints
    assert UR5E.home.tobytes() == described.home.tobytes()
    for ours, theirs in zip(UR5E.collision_geometry, described.collision_geometry, strict=True):
        assert (ours.name, ours.link, ours.radius) == (theirs.name, theirs.link, theirs.radius)
        assert ours.start.tobytes() == theirs.start.tobytes()
        assert ours.end.tobytes() == theirs.end.tobytes()
    assert [piece.name for piece in UR5E_STICK.collision_geometry[-2:]] == ["wrist 3", "stick"]
    np.testing.assert_array_equal(
        UR5E_STICK.collision_geometry[-1].start, UR5E.collision_geometry[-2].start
    )
