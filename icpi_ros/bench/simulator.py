"""What executes thetas under one hidden physics, in one scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from icpi_ros.arms import ARMS
from icpi_ros.errors import IcpiError
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, ObjectTrajectory

Simulate = Callable[[Array], list[ObjectTrajectory | str]]
"""From thetas ``(N, d)`` to the object's paths; a text says why there is none."""


def simulator(task: Task, physics: Array) -> Simulate:
    """Return what executes thetas under ``physics`` ``(P,)``, all in one scene.

    A batch in which one diverges is repeated one by one, so that only that one fails.
    """
    arm, worlds = ARMS.get(task.arm), list[World]()

    def run(thetas: Array) -> list[ObjectTrajectory]:
        if not worlds:
            worlds.append(World(task, arm, physics))
        return rollout(task, arm, physics, thetas, world=worlds[0]).trajectories

    def simulate(thetas: Array) -> list[ObjectTrajectory | str]:
        try:
            return list(run(thetas))
        except IcpiError as exc:
            if len(thetas) == 1:
                return [str(exc) or type(exc).__name__]
        return [simulate(theta[np.newaxis])[0] for theta in thetas]

    return simulate
