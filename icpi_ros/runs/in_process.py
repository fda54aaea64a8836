"""A run driven to its end in this process: by any function, or in the simulation of its task."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from icpi_ros.core.errors import (
    BudgetSpent,
    ExecutionCancelled,
    IcpiError,
    MotionRefused,
    ObservationMissing,
    StoreError,
)
from icpi_ros.core.text import error_line
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.robots.base import Arm
from icpi_ros.runs.run import Run
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility
from icpi_ros.tasks.observation import OBSERVE_STREAM, Observation, observe


def run_in_process(
    run: Run,
    execute: Callable[[Array], ObjectTrajectory],
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> None:
    """Drive a run to its end with a function instead of a robot.

    Args:
        run: new or resumed.
        execute: theta ``(d,)`` to the object's trajectory; after ObservationMissing the trial
            is unobserved, after ExecutionCancelled the run cancelled, after any other IcpiError
            failed.
        on_trial: called with every trial after it is stored, unobserved ones included.

    Raises:
        StoreError: a trial cannot be written.
        KeyboardInterrupt: the run is cancelled if it came in ``execute``; anywhere else the run
            stays open.  It can be resumed either way.
    """
    while not run.finished:
        try:
            trial = run.ask()
        except BudgetSpent:
            return
        try:
            try:
                trajectory = execute(trial.theta)
            except KeyboardInterrupt:
                run.cancel("interrupted by the user")
                raise
            run.tell(trajectory)
        except ObservationMissing as exc:
            run.unobserved(str(exc))
        except ExecutionCancelled as exc:
            run.cancel(str(exc))
        except StoreError:
            raise
        except IcpiError as exc:
            run.fail(str(exc))
        on_trial(run.trials[-1])


def execution_in_process(arm: Arm, world: str = "") -> Execution:
    """Return the way in which trials with ``arm`` are executed here; see Execution.world."""
    none = {
        "source": "rollout",
        "controller": "none",
        "domain": "",
        "namespace": "",
        "world": world,
    }
    return Execution.of(Backend.IN_PROCESS, arm, arm.limits, limits="", dry_run="false", **none)


def run_simulated(
    run: Run,
    arm: Arm,
    observation: Observation,
    on_trial: Callable[[Trial], None],
    world: Task | None = None,
) -> None:
    """Drive a run to its end: physics, first attempt and noise are those of its seed.

    Args:
        run: new or resumed.
        arm: that executes.
        observation: the sensor's view of the object's path.
        on_trial: called with every trial after it is stored.
        world: task in whose scene and physics the motions are carried out; None = the run's own.

    Raises:
        StoreError, KeyboardInterrupt: as :func:`run_in_process`.
    """
    task, seed, simulated = run.task, run.config.seed, world or run.task
    physics = simulated.seeded_physics(seed)
    run.why_not = simulated_feasibility(task, arm)

    @cache
    def world_of_run() -> World | None:
        return None if simulated is task else World(simulated, arm, physics)

    def execute(theta: Array) -> ObjectTrajectory:
        if why := run.why_not(theta):
            raise MotionRefused(why)
        rng = np.random.default_rng([seed, len(run.history), OBSERVE_STREAM])
        try:
            true = rollout(task, arm, physics, theta[np.newaxis], 1, world_of_run()).trajectories[0]
        except IcpiError:
            raise
        except Exception as exc:  # a task of a plug-in
            raise IcpiError(
                f"task {simulated.name} cannot be simulated: {error_line(exc)}"
            ) from exc
        return observe(true, observation, rng)

    run_in_process(run, execute, on_trial)
