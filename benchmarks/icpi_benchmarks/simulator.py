"""Simulator of thetas under one hidden physics, in one scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from icpi_ros.core.errors import IcpiError, Refusal
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

Simulate = Callable[[Array], list[ObjectTrajectory | Refusal]]
"""Function from thetas ``(N, d)`` to the object's paths, or the reasons why there is none."""


def simulator(task: Task, arm: Arm, physics: Array, world: Task | None = None) -> Simulate:
    """Return a simulator of thetas with ``arm`` under ``physics`` ``(P,)``, all in one scene.

    A theta that the arm cannot execute is not simulated; a batch in which one diverges is
    repeated one by one, so that only that one fails.  The scene and the physics are those of
    ``world``, None = the task itself.
    """
    worlds, why_not = list[World](), simulated_feasibility(task, arm)

    def run(thetas: Array) -> list[ObjectTrajectory]:
        if not worlds:
            worlds.append(World(world or task, arm, physics))
        return rollout(task, arm, physics, thetas, world=worlds[0]).trajectories

    def simulate(thetas: Array) -> list[ObjectTrajectory | Refusal]:
        refused = [why_not(theta) for theta in thetas]
        found = iter(tried(thetas[[not why for why in refused]]))
        return [why or next(found) for why in refused]

    def tried(thetas: Array) -> list[ObjectTrajectory | Refusal]:
        try:
            return list(run(thetas)) if len(thetas) else []
        except IcpiError as exc:
            if len(thetas) == 1:
                return [exc.refusal if str(exc) else Refusal(type(exc).__name__)]
        return [tried(theta[np.newaxis])[0] for theta in thetas]

    return simulate
