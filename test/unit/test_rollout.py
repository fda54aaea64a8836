import numpy as np

from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim import rollout as rollout_module
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.slide import SLIDE

PHYSICS = np.array([0.22, 0.3, 0.8])
THETAS = SLIDE.space.sample(np.random.default_rng(4), 9)


def paths(thetas=THETAS, threads=1, physics=PHYSICS):
    return [t.positions for t in rollout(SLIDE, UR5E, physics, thetas, threads).trajectories]


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_threads_batch_or_block(monkeypatch):
    reference = paths()
    assert_same(reference, paths(threads=2))
    assert_same(reference[3:4], paths(THETAS[3:4]))
    monkeypatch.setattr(rollout_module, "BATCH", 2)
    monkeypatch.setattr(rollout_module, "BLOCK_TIME", 0.07)
    assert_same(reference, paths())


def test_a_rollout_is_a_loop_of_world_steps():
    path = paths(THETAS[:1])[0]
    world = World(SLIDE, UR5E, PHYSICS)
    motion = SLIDE.motion(THETAS[0], UR5E)
    world.reset(motion.start)
    steps = 5 * (len(path) - 1)
    q, qd, _ = motion.trajectory.sample(world.dt * np.arange(steps))
    for i in range(steps):
        world.step(q[i], qd[i])
    np.testing.assert_array_equal(world.object_position, path[-1])


def test_the_object_rests_where_the_trajectory_ends():
    outcome = rollout(SLIDE, UR5E, PHYSICS, THETAS)
    assert outcome.rested.all()
    for trajectory in outcome.trajectories:
        assert SLIDE.rest.first_rest(trajectory.positions[None])[0] >= 0
        assert trajectory.coverage == 1.0


def test_physics_matters_as_it_should():
    theta = np.array([[1.0, 0.0]])
    slippery = paths(theta, physics=np.array([0.10, 0.2, 0.0]))[0][-1]
    rough = paths(theta, physics=np.array([0.35, 0.2, 0.0]))[0][-1]
    tilted = paths(theta, physics=np.array([0.10, 0.2, 1.5]))[0][-1]
    assert slippery[1] > rough[1] + 0.2
    assert tilted[0] > slippery[0] + 0.02


def test_a_resting_puck_stays_where_it_is_on_a_tilted_table():
    world = World(SLIDE, UR5E, np.array([0.10, 0.2, 1.5]))
    before = world.object_position
    for _ in range(1000):
        world.step(UR5E.home, np.zeros(6))
    assert np.linalg.norm(world.object_position - before) < 1e-5


def test_servo_follows_the_hardest_strike():
    world = World(SLIDE, UR5E, PHYSICS)
    motion = SLIDE.motion(np.array([1.6, 0.2]), UR5E)
    world.reset(motion.start)
    q, qd, _ = motion.trajectory.sample(world.dt * np.arange(260))
    worst = 0.0
    for i in range(259):
        world.step(q[i], qd[i])
        worst = max(worst, float(np.abs(world.joint_positions - q[i + 1]).max()))
    assert worst < 0.008
