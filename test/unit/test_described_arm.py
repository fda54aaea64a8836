"""Arms that are data: kinematics, inverse, strikes and simulation of any number of joints."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import MotionRefused, UsageError
from icpi_ros.core.resources import share_path
from icpi_ros.motion.primitives import strike_rotation
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.arm_check import check_arm
from icpi_ros.robots.collision import CollisionGeometry
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.slide import SLIDE, Slide

FR3 = ARMS.get("fr3")
DESCRIBED = find_arm(str(share_path("config", "arms", "ur5e.yaml")))
PHYSICS = np.array([0.2, 0.2, 0.0])
FLIP = 0.05
"""Step of a joint between two looks that no smooth strike makes [rad]."""
angles = st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6).map(np.array)
poses = st.tuples(
    st.floats(0.45, 0.68), st.floats(-0.3, 0.3), st.floats(0.01, 0.35), st.floats(-0.4, 0.4)
)


def pose(x, y, z, heading):
    return np.array([x, y, z]), strike_rotation(np.array(heading))


@given(angles)
def test_the_described_ur5e_is_the_built_in_one(q):
    for ours, theirs in zip(DESCRIBED.tool_pose(q), UR5E.tool_pose(q), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_allclose(DESCRIBED.links(q), UR5E.links(q), atol=1e-12)
    np.testing.assert_allclose(DESCRIBED.jacobian(q), UR5E.jacobian(q), atol=1e-12)


def test_the_described_ur5e_has_the_same_limits_home_and_body():
    assert DESCRIBED.joints == UR5E.joints
    np.testing.assert_array_equal(DESCRIBED.home, UR5E.home)
    for name, value in vars(UR5E.limits).items():
        np.testing.assert_allclose(getattr(DESCRIBED.limits, name), value, atol=1e-12)
    for ours, theirs in zip(DESCRIBED.collision_geometry, UR5E.collision_geometry, strict=True):
        assert (ours.name, ours.link, ours.radius) == (theirs.name, theirs.link, theirs.radius)
        np.testing.assert_allclose(ours.start, theirs.start, atol=1e-12)
        np.testing.assert_allclose(ours.end, theirs.end, atol=1e-12)


@given(poses)
@settings(deadline=None)
def test_the_numeric_inverse_is_the_closed_form(where):
    np.testing.assert_allclose(DESCRIBED.ik(*pose(*where)), UR5E.ik(*pose(*where)), atol=1e-9)


@pytest.mark.slow
@given(poses)
@settings(max_examples=50, deadline=None)
def test_the_inverse_of_seven_joints_is_exact_and_of_least_cost(where):
    position, rotation = pose(*where)
    q = FR3.ik(position, rotation)
    assume(np.isfinite(q).all())  # how many poses are answered is the next test's affair
    reached, turned = FR3.tool_pose(q)
    np.testing.assert_allclose(reached, position, atol=1e-9)
    np.testing.assert_allclose(turned, rotation, atol=1e-9)
    np.testing.assert_allclose(FR3.jacobian(q) @ FR3.differential_ik(q), np.eye(6), atol=1e-8)
    # Moving in the null space and coming back ends where it began: the answer is one of the pose.
    null = np.linalg.svd(FR3.jacobian(q))[2][-1]
    again = FR3.ik(*FR3.tool_pose(q + 1e-3 * null))
    np.testing.assert_allclose(again, q, atol=1e-4)


def test_almost_every_pose_of_the_striking_region_is_answered():
    rng = np.random.default_rng(5)
    where = rng.uniform([0.45, -0.3, 0.01, -0.4], [0.68, 0.3, 0.35, 0.4], (500, 4))
    points, turns = where[:, :3], strike_rotation(where[:, 3])
    assert np.isfinite(FR3.ik(points, turns)).all(axis=1).mean() > 0.97


@pytest.mark.slow
@given(poses)
@settings(max_examples=20, deadline=None)
def test_rates_are_the_derivative_of_the_inverse(where):
    position, rotation = pose(*where)
    step = 1e-5
    q = FR3.ik(position, rotation)
    assume(np.isfinite(q).all())
    rates = FR3.differential_ik(q)
    fastest = np.abs(rates).max()
    assume(fastest < 100.0)  # nearer to a singularity a difference is no derivative
    places = position + step * np.concatenate([np.eye(3), -np.eye(3)])
    answers = FR3.ik(places, np.broadcast_to(rotation, (6, 3, 3)))  # the same as one by one
    for axis, (ahead, behind) in enumerate(zip(answers[:3], answers[3:], strict=True)):
        if np.isfinite(ahead).all() and np.isfinite(behind).all():
            found = (ahead - behind) / (2 * step)
            np.testing.assert_allclose(found, rates[:, axis], rtol=0.0, atol=1e-4 * fastest)


def test_an_answer_depends_on_its_pose_only():
    rng = np.random.default_rng(2)
    where = [
        pose(*w) for w in rng.uniform([0.45, -0.3, 0.01, -0.4], [0.68, 0.3, 0.35, 0.4], (9, 4))
    ]
    together = FR3.ik(np.array([p for p, _ in where]), np.array([r for _, r in where]))
    for row, (position, rotation) in zip(together, where, strict=True):
        np.testing.assert_array_equal(FR3.ik(position, rotation), row)


def test_out_of_reach_and_nan_are_nan_and_do_not_spoil_the_others():
    position, rotation = pose(0.6, 0.0, 0.1, 0.0)
    points = np.array([position, [1.6, 0.0, 0.1], position * np.nan, position])
    answers = FR3.ik(points, np.broadcast_to(rotation, (4, 3, 3)))
    np.testing.assert_array_equal(np.isnan(answers).any(axis=1), [False, True, True, False])
    np.testing.assert_array_equal(answers[0], answers[3])


@pytest.mark.parametrize("name", ARMS.names())
def test_every_arm_is_sound(name):
    assert [finding.what for finding in check_arm(ARMS.get(name)) if not finding.sound] == []


@pytest.mark.slow
@given(st.floats(0.6, 1.2), st.floats(-0.4, 0.4))
@example(1.1875, 0.375)
@settings(max_examples=20, deadline=None)
def test_a_strike_of_seven_joints_stays_on_its_line_and_on_the_inverse(speed, heading):
    stroke = SLIDE.motion(np.array([speed, heading]), FR3).trajectory
    q, qd, qdd = stroke.sample(np.linspace(0.0, stroke.duration, 400))
    if np.abs(np.diff(q, axis=0)).max() > FLIP:  # where the inverse changes over to another answer
        with pytest.raises(MotionRefused):
            SafetyGate(FR3).check(stroke, q[0])
        return
    point, rotation = FR3.tool_pose(q)
    along = np.array([-np.sin(heading), np.cos(heading), 0.0])
    offset = point - SLIDE.strike.pivot
    np.testing.assert_allclose(offset - np.outer(offset @ along, along), 0.0, atol=1e-8)
    np.testing.assert_allclose(rotation, rotation[:1].repeat(400, 0), atol=1e-8)
    np.testing.assert_allclose(FR3.ik(point, rotation), q, atol=1e-7)
    tool = (FR3.jacobian(q)[:, :3] @ qd[..., None])[..., 0]
    assert np.linalg.norm(tool, axis=1).max() == pytest.approx(speed, rel=1e-3)
    dt = stroke.duration / 399
    np.testing.assert_allclose(np.gradient(qd, dt, axis=0)[2:-2], qdd[2:-2], atol=0.1)


def test_the_limits_of_the_fr3_keep_its_position_based_speed_limit():
    """Numbers: Franka Control Interface documentation, Limits for Franka Research 3."""
    lowest = np.array([-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508])
    highest = np.array([2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508])
    fastest = np.array([2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26])
    offset = np.array([0.6599, 0.2517, 0.2000, 0.3533, 0.5757, 0.4878, 0.4628])
    slowing = np.array([6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0])
    limits = FR3.limits
    assert (limits.velocity <= fastest).all()
    assert (limits.velocity <= np.sqrt(2 * slowing * (highest - limits.upper)) - offset).all()
    assert (limits.velocity <= np.sqrt(2 * slowing * (limits.lower - lowest)) - offset).all()
    assert (limits.acceleration <= 10.0).all()


def test_an_arm_that_cannot_brake_hard_brakes_over_a_longer_way():
    ours, theirs = (SLIDE.motion(np.array([1.0, 0.0]), arm).trajectory for arm in (FR3, UR5E))
    assert FR3.strike_deceleration < SLIDE.strike.deceleration < UR5E.strike_deceleration
    np.testing.assert_allclose(ours.times[:17], theirs.times[:17])
    slowing = ours.times[-1] - ours.times[16]
    assert slowing == pytest.approx(1.0 / FR3.strike_deceleration)


@pytest.mark.parametrize("arm", [FR3, DESCRIBED], ids=lambda arm: arm.name)
def test_the_generated_model_has_the_arms_kinematics(arm):
    world = World(SLIDE, arm, PHYSICS)
    rng = np.random.default_rng(3)
    for q in rng.uniform(arm.limits.lower, arm.limits.upper, (20, len(arm.joints))):
        world.reset(q)
        site, links = world.data.site("tool"), arm.links(q)
        position, rotation = arm.tool_pose(q)
        np.testing.assert_allclose(site.xpos, position, atol=1e-9)
        np.testing.assert_allclose(site.xmat.reshape(3, 3), rotation, atol=1e-9)
        for link in range(1, len(arm.joints) + 1):
            body = world.data.body(f"link_{link}")
            np.testing.assert_allclose(links[link, :3, 3], body.xpos, atol=1e-9)
            np.testing.assert_allclose(links[link, :3, :3], body.xmat.reshape(3, 3), atol=1e-9)


def test_the_servos_of_seven_joints_follow_a_strike():
    world, motion = World(SLIDE, FR3, PHYSICS), SLIDE.motion(np.array([1.2, 0.1]), FR3)
    world.reset(motion.start)
    steps = int(motion.trajectory.duration / world.dt) + 50
    q, qd, _ = motion.trajectory.sample(world.dt * np.arange(steps))
    worst = 0.0
    for i in range(steps - 1):
        world.step(q[i], qd[i])
        worst = max(worst, float(np.abs(world.joint_positions - q[i + 1]).max()))
    assert worst < 0.008


def test_seven_joints_strike_the_puck_alike_whatever_the_batch():
    thetas = np.array([[0.8, 0.2], [1.0, 0.0], [1.1, -0.3]])
    together = rollout(SLIDE, FR3, PHYSICS, thetas)
    assert together.rested.all()
    ends = np.array([t.positions[-1] for t in together.trajectories])
    assert (ends[:, 1] > 0.05).all()
    assert ends[0, 0] < ends[1, 0] < ends[2, 0]
    alone = rollout(SLIDE, FR3, PHYSICS, thetas[1:2]).trajectories[0]
    np.testing.assert_array_equal(alone.positions, together.trajectories[1].positions)


def test_an_arm_takes_the_place_of_one_that_is_built_in():
    task = TASKS.get("rope-swing")
    world = World(task, FR3, task.seeded_physics(0))
    np.testing.assert_allclose(world.joint_positions, FR3.home)
    tool, _ = FR3.tool_pose(FR3.home)
    np.testing.assert_allclose(world.data.site("tool").xpos, tool, atol=1e-9)
    np.testing.assert_allclose(world.data.body("rope_0").xpos, tool, atol=1e-9)
    assert world.model.nu == len(FR3.joints)


def test_a_scene_without_an_arm_takes_none(tmp_path):
    class Bare(Slide):
        scene = str(tmp_path / "bare.xml")

    Path(Bare.scene).write_text('<mujoco><worldbody><body name="puck"/></worldbody></mujoco>')
    with pytest.raises(UsageError, match=r"cannot simulate slide with fr3: the scene has no arm"):
        World(Bare(), FR3, PHYSICS)
    Path(Bare.scene).write_text("<mujoco>")
    with pytest.raises(UsageError, match=r"cannot simulate slide with fr3: "):
        World(Bare(), FR3, PHYSICS)


def test_an_arm_without_a_blade_cannot_be_simulated_where_one_strikes(tmp_path):
    text = share_path("config", "arms", "fr3.yaml").read_text()
    (tmp_path / "bare.yaml").write_text(
        text.replace("name: blade", "name: cone").replace("name: fr3\n", "name: lab\n")
    )
    with pytest.raises(UsageError, match=r"cannot simulate slide with lab: .*'blade' not found"):
        World(SLIDE, find_arm(str(tmp_path / "bare.yaml")), PHYSICS)


def test_the_closest_pieces_are_found():
    """Against distances of many points along both pieces."""
    rng = np.random.default_rng(5)
    share = np.linspace(0.0, 1.0, 200)[:, np.newaxis]
    for q in rng.uniform(FR3.limits.lower, FR3.limits.upper, (10, 7)):
        links = FR3.links(q)
        points = [
            (piece.start + share * (piece.end - piece.start)) @ links[piece.link, :3, :3].T
            + links[piece.link, :3, 3]
            for piece in FR3.collision_geometry
        ]
        gaps = [
            np.linalg.norm(points[a][:, None] - points[b], axis=2).min() - one.radius - two.radius
            for a, one in enumerate(FR3.collision_geometry)
            for b, two in enumerate(FR3.collision_geometry)
            if a < b and abs(one.link - two.link) > 1
        ]
        assert CollisionGeometry(FR3).nearest(links)[0] == pytest.approx(min(gaps), abs=2e-3)


def test_a_name_or_a_path_finds_an_arm(tmp_path, monkeypatch):
    assert find_arm("ur5e") is UR5E
    assert find_arm("fr3") is FR3
    copy = tmp_path / "lab.yaml"
    text = Path(share_path("config", "arms", "fr3.yaml")).read_text()
    copy.write_text(text.replace("name: fr3", "name: fr3_lab", 1))
    monkeypatch.chdir(tmp_path)
    assert find_arm("lab.yaml").name == find_arm(str(copy)).name == "fr3_lab"
    with pytest.raises(UsageError, match=r"unknown arm 'panda': choose one of fr3, .*the path"):
        find_arm("panda")
