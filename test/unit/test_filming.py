"""A filmed stroke is the rollout's, and its images show it."""

import numpy as np
import pytest
from icpi_benchmarks.pixels.filming import film

from icpi_ros.perception.image_tracker import ImageTracker
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.targets import tracked_target
from icpi_ros.robots import ARMS
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS


@pytest.mark.parametrize("name", ["slide", "roll-gc"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_film_is_the_rollout(name, seed):
    task = TASKS.get(name)
    arm, rng = ARMS.get(task.arm), np.random.default_rng(seed)
    physics = task.sample_physics(rng)
    theta = task.space.sample(rng)
    world = World(task, arm, physics)
    truth = rollout(task, arm, physics, theta[np.newaxis]).trajectories[0]
    with SimulatedCamera(
        world.model, "", CameraSettings(rate=20.0), tracked_target(TASKS.get(name)).target
    ) as camera:
        made = film(task, arm, physics, theta, camera, world=world, standing=0.31)
        again = film(task, arm, physics, theta, camera, world=world, standing=0.31)
    assert made.rested
    assert np.array_equal(made.path.times, truth.times)
    assert abs(made.path.positions - truth.positions).max() < 1e-6
    assert np.array_equal(made.path.positions, again.path.positions)
    stamps = [stamp for stamp, _ in made.images]
    assert stamps[0] <= made.start_ns - 250_000_000
    assert stamps[-1] >= made.stop_ns
    assert made.stop_ns - made.start_ns == round(1e9 * truth.times[-1])


@pytest.mark.slow
def test_lost_frames_follow_the_seed_and_the_tracker_finds_the_end():
    task = TASKS.get("slide")
    arm, physics = ARMS.get(task.arm), task.seeded_physics(3)
    world, theta = World(task, arm, physics), np.array([0.9, 0.1])
    settings = CameraSettings(drop=0.1, latency=0.02)
    with SimulatedCamera(
        world.model, "", settings, tracked_target(TASKS.get("slide")).target
    ) as camera:
        films = [film(task, arm, physics, theta, camera, seed=seed) for seed in (1, 1, 2)]
        tracker = ImageTracker.of(tracked_target(TASKS.get("slide")), camera.camera)
    stamps = [[stamp for stamp, _ in each.images] for each in films]
    assert stamps[0] == stamps[1] != stamps[2]
    for stamp, image in films[0].images:
        tracker.update(stamp, Frame(image, "rgb8"))
    seen, quality = tracker.trajectory(films[0].start_ns, films[0].stop_ns, task.rest.period)
    assert quality.good
    assert np.linalg.norm(seen.positions[-1] - films[0].path.positions[-1]) < 0.0015
