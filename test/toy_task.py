"""A task in closed form, for tests of the loop, the store and data sets.

The object ends at push * (1, cross) + (0, drift * turn), away from START; no simulator.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.motion.rest import RestRule
from icpi_ros.tasks.base import Task

START = np.array([0.6, -0.15, 0.01])


class ToyTask(Task):
    name = "toy-push"
    summary = "push in closed form"
    scene = "none.xml"
    revision = 1
    object_body = "none"
    space = ParameterSpace(
        (Parameter("push", "m/s", 0.5, 1.5), Parameter("turn", "rad", -0.5, 0.5))
    )
    goal_space = ParameterSpace(
        (Parameter("x", "m", 0.4, 0.8), Parameter("y", "m", 0.3, 0.6)), label="goal"
    )
    default_goal = np.array([0.6, 0.42])
    physics_space = ParameterSpace((Parameter("grip", "1", 0.4, 0.8),))
    error_names = ("x [m]", "y [m]")
    cost_mask = np.ones(2)
    rest = RestRule(speed=0.005, window=0.2, period=0.02)
    max_duration = 5.0

    def trajectories(self, thetas, arm):
        raise NotImplementedError

    def ready(self, theta, arm):
        raise NotImplementedError

    def apply_physics(self, model, physics):
        raise NotImplementedError

    def error(self, trajectory, goal):
        if trajectory.coverage < 0.5:
            raise ObservationMissing("toy: fewer than half of the samples are there")
        return trajectory.positions[-1, :2] - goal


TOY = ToyTask()


def rollout(theta, grip=0.55, samples=30):
    """Trajectory of one push: eases out towards its end point."""
    reach = grip * theta[0]
    end = START + np.array([-reach * np.sin(theta[1]), reach * np.cos(theta[1]), 0.0])
    share = 1.0 - (1.0 - np.linspace(0.0, 1.0, samples)) ** 2
    return ObjectTrajectory(
        np.linspace(0.0, 1.2, samples), START + share[:, np.newaxis] * (end - START)
    )


def best_theta(goal, grip):
    aside, ahead = goal - START[:2]
    return np.array([np.hypot(aside, ahead) / grip, np.arctan2(-aside, ahead)])


def toy_dataset(seed=0, size=60, draws=6):
    rng = np.random.default_rng(seed)
    grips = rng.uniform(0.45, 0.75, draws)
    theta = TOY.space.sample(rng, size)
    group = np.arange(size) % draws
    goal = np.tile(TOY.default_goal, (size, 1))
    error = np.array(
        [
            TOY.error(rollout(t, grips[g]), TOY.default_goal)
            for t, g in zip(theta, group, strict=True)
        ]
    )
    best = np.array([best_theta(TOY.default_goal, grips[g]) for g in group])
    return Dataset(
        task=TOY.name,
        theta=theta,
        error=error,
        dtheta=best - theta,
        goal=goal,
        cost=np.linalg.norm(error, axis=1),
        label_cost=np.full(size, np.nan),
        group=group,
        provenance={"command": "toy", "seed": seed},
    )
