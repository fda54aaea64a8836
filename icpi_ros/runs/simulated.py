"""A run in the simulation of its task, in this process and without ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from icpi_ros.core.errors import IcpiError, MotionRefused
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.robots.base import Arm
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.feasibility import simulated_feasibility
from icpi_ros.tasks.observation import OBSERVE_STREAM, Observation, observe


def execution_in_process(arm: Arm) -> Execution:
    """Return how trials with ``arm`` are executed here."""
    none = {"source": "rollout", "controller": "none", "domain": "", "namespace": ""}
    return Execution.of(Backend.IN_PROCESS, arm, arm.limits, limits="", dry_run="false", **none)


def run_simulated(
    run: Run, arm: Arm, observation: Observation, on_trial: Callable[[Trial], None]
) -> None:
    """Drive a run to its end: physics, first attempt and noise are those of its seed.

    Args:
        run: new or resumed.
        arm: that executes.
        observation: what the sensor makes of the object's path.
        on_trial: called with every trial after it is stored.

    Raises:
        StoreError, KeyboardInterrupt: as :func:`run_in_process`.
    """
    task, seed = run.task, run.config.seed
    physics = task.seeded_physics(seed)
    run.why_not = simulated_feasibility(task, arm)

    def execute(theta: Array) -> ObjectTrajectory:
        if why := run.why_not(theta):
            raise MotionRefused(why)
        rng = np.random.default_rng([seed, len(run.history), OBSERVE_STREAM])
        try:
            true = rollout(task, arm, physics, theta[np.newaxis]).trajectories[0]
        except IcpiError:
            raise
        except Exception as exc:  # a task of somebody else's
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            raise IcpiError(f"task {task.name} cannot be simulated: {reason}") from exc
        return observe(true, observation, rng)

    run_in_process(run, execute, on_trial)
