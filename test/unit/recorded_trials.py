"""Simulated trials as a sensor would have recorded them."""

import numpy as np

from icpi_ros.core.types import Trial, TrialOrigin
from icpi_ros.robots import ARMS
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.observation import Observation, observe
from icpi_ros.tasks.slide import SLIDE

PHYSICS = np.array([0.19, 0.2, -0.9])
THETAS = np.array([[1.3, 0.2], [0.9, -0.25], [1.1, 0.0]])
FRICTION, MASS, TILT = range(3)


def recorded(physics=PHYSICS, thetas=THETAS, noise=5e-4, seed=0, task=SLIDE):
    """Trials of `thetas` under `physics`, with white noise [m]."""
    rng = np.random.default_rng(seed)
    paths = rollout(task, ARMS.get(task.arm), physics, thetas).trajectories
    return [
        Trial.executed(n, theta, observe(path, Observation(noise), rng), TrialOrigin("run"))
        for n, (theta, path) in enumerate(zip(thetas, paths, strict=True))
    ]
