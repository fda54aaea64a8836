"""Contract of every task."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import product

import numpy as np

from icpi_ros.core.errors import InvalidValue, ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.core.units import millimetres
from icpi_ros.evaluate.survey import SurveyPlan, survey
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.base import Task
from icpi_ros.testing.require import require

DEFINED = {"name", "revision", "arm", "theta", "goal", "default_goal", "goal_varies"} | {
    *("physics", "error", "cost_mask", "rest", "max_duration")
}
"""Parts of a task's definition, which its data sets depend on."""
REACHED, NOISE = 0.02, 0.01
"""Largest cost of a goal's best theta, and largest noise of the cost, as shares of what a random
theta costs."""
PLAN = SurveyPlan(draws=2, samples=64, line=9, seed=1, threads=2)
"""Size of the survey that finds both."""
MAX_CORNERS = 64
"""Corners of the box whose motions are checked: all of up to six parameters, else so many drawn."""


def _arm(task: Task) -> Arm:
    return ARMS.get(task.arm)


def dimensions_fit_together(task: Task) -> None:
    """Names, units and numbers of parameters, goals, physics and errors fit together."""
    require(task.summary, "its summary is empty")
    require(
        task.cost_mask.shape == (len(task.error_names),),
        f"cost_mask has shape {task.cost_mask.shape}, but there are {len(task.error_names)} errors",
    )
    for space in (task.space, task.goal_space, task.physics_space, task.shifted_space):
        for p in space.parameters:
            require(p.unit, f"{p.name} has no unit: write '1' for a plain number")
            require(p.description, f"{p.name} has no description")
    require(
        task.shifted_space.names == task.physics_space.names,
        "shifted_space and physics_space name other quantities",
    )
    task.check_goal(task.default_goal)
    place = task.goal_point(task.default_goal)
    require(place is None or place.shape == (3,), f"goal_point gives {place}, not three numbers")


def definition_is_complete(task: Task) -> None:
    """The definition names all that a data set depends on, and is JSON."""
    definition = task.definition()
    missing = DEFINED - set(definition)
    require(not missing, f"it lacks {', '.join(sorted(missing))}")
    require(json.loads(json.dumps(definition)) == definition, "JSON does not keep it")


def goal_out_of_reach_is_refused(task: Task) -> None:
    """A goal out of reach is refused with the region."""
    try:
        task.check_goal(task.goal_space.upper + 1.0)
    except InvalidValue as exc:
        require("goal" in str(exc) and "allowed" in str(exc), f"the message is only: {exc}")
    else:
        raise AssertionError("a goal 1 above its upper bounds is accepted")


def goals_are_drawn_from_the_region_or_fixed(task: Task) -> None:
    """Goals are drawn from the whole region, or always the default one."""
    rng = np.random.default_rng(2)
    goals = np.array([task.sample_goal(rng) for _ in range(50)])
    for goal in goals:
        task.check_goal(goal)
    if task.goal_varies:
        extent = np.ptp(goals, axis=0) / np.ptp([task.goal_space.lower, task.goal_space.upper], 0)
        require((extent > 0.8).all(), f"50 goals cover only {extent} of the region")
    else:
        require((goals == task.default_goal).all(), "goal_varies is False, but goals differ")


def shifted_physics_lie_outside_the_data_and_simulate(task: Task) -> None:
    """Shifted physics lie outside the data's range and can be simulated."""
    if not task.physics_space.dim:  # a scene that hides nothing
        return
    rng = np.random.default_rng(3)
    draws = np.array([task.sample_shifted(rng) for _ in range(50)])
    for physics in draws:
        require(task.shifted_space.contains(physics), f"{physics} is not in shifted_space")
        require(not task.physics_space.contains(physics), f"{physics} is in physics_space too")
    for physics in draws[:3]:
        found = rollout(task, _arm(task), physics, task.space.sample(rng, 2))
        for trajectory in found.trajectories:
            require(np.isfinite(trajectory.positions).all(), f"unstable under physics {physics}")


def every_theta_passes_the_gate(task: Task) -> None:
    """Every theta in the box gives a motion that the safety gate lets pass."""
    gate, arm = SafetyGate(_arm(task)), _arm(task)
    inner = task.space.sample(np.random.default_rng(0), 30)
    for theta in np.concatenate([_corners(task), inner]):
        motion = task.motion(theta, arm)
        gate.check(motion.trajectory, motion.start, motion.release)
        require(not motion.trajectory.velocities[-1].any(), f"theta {theta} does not end at rest")


def rollouts_are_deterministic_and_observed(task: Task) -> None:
    """The same theta and physics give the same path, with an error and a cost."""
    rng = np.random.default_rng(1)
    physics, thetas = task.sample_physics(rng), task.space.sample(rng, 3)
    first = rollout(task, _arm(task), physics, thetas)
    second = rollout(task, _arm(task), physics, thetas, threads=2)
    for a, b in zip(first.trajectories, second.trajectories, strict=True):
        require(np.array_equal(a.positions, b.positions), "a second rollout differs")
        np.testing.assert_allclose(np.diff(a.times), task.rest.period)
        require(a.times[-1] <= task.max_duration + 1e-9, f"it lasts {a.times[-1]} s")
        error = task.error(a, task.default_goal)
        require(error.shape == task.cost_mask.shape, f"the error has shape {error.shape}")
        require(np.isfinite(error).all(), f"the error is {error}")
        require(task.cost(error) >= 0.0, f"the cost is {task.cost(error)}")


def the_window_ends_at_rest_or_at_its_fixed_end(task: Task) -> None:
    """A trial ends when the object rests, or at its fixed end where none is waited for."""
    rng = np.random.default_rng(4)
    found = rollout(task, _arm(task), task.sample_physics(rng), task.space.sample(rng, 6))
    if task.rest.speed > 0.0:
        require(found.rested.all(), f"the object did not come to rest in {task.max_duration} s")
    else:
        require(not found.rested.any(), "it ended before its fixed end")
        ends = [trajectory.times[-1] for trajectory in found.trajectories]
        np.testing.assert_allclose(ends, task.max_duration)


def raw_form_is_state_and_goal(task: Task) -> None:
    """The raw form is the state, then the goal; their difference is the error."""
    rng = np.random.default_rng(5)
    goal, thetas = task.sample_goal(rng), task.space.sample(rng, 1)
    trajectory = rollout(task, _arm(task), task.sample_physics(rng), thetas).trajectories[0]
    raw, error = task.raw(trajectory, goal), task.error(trajectory, goal)
    require(raw.shape == (len(task.raw_names),), f"it has shape {raw.shape}")
    require(np.isfinite(raw).all(), f"it is {raw}")
    np.testing.assert_array_equal(raw[-len(goal) :], goal)
    counted = np.flatnonzero(task.cost_mask)
    np.testing.assert_allclose(raw[counted] - goal, error[counted], atol=1e-12)


def what_was_not_seen_is_not_guessed(task: Task) -> None:
    """A trajectory that shows nothing raises ObservationMissing."""
    unseen = ObjectTrajectory(np.array([0.0, 0.1]), np.full((2, 3), np.nan))
    empty = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    for trajectory in (unseen, empty):
        for read in (task.error, task.raw):
            with suppress(ObservationMissing):
                found = read(trajectory, task.default_goal)
                raise AssertionError(f"{read.__name__} of nothing is {found}")


def goals_can_be_reached_and_need_adapting_to(
    task: Task, first_cost: float = 0.0, plan: SurveyPlan = PLAN
) -> None:
    """Every goal can be reached, and not without adapting to the physics.

    A task's scale is the mean cost of a random theta: millimetres for one, a metre for another.

    ``first_cost``: least mean cost of a random theta [m]; ``plan``: of the survey, a smaller one
    finds less good thetas and so asks for more.
    """
    found = survey(task, _arm(task), plan)
    best, noise = float(found.best_cost.max()), float(np.median(found.noise))
    other, first = float(found.other_cost.mean()), float(found.first_cost.mean())
    require(first > first_cost, f"a random theta costs only {millimetres(first)}")
    for what, value, share in (
        ("best reachable cost", best, REACHED),
        ("noise on a line of thetas", noise, NOISE),
    ):
        require(
            value < share * first,
            f"{what} is {millimetres(value)}: must be below {millimetres(share * first)}, "
            f"{share:.0%} of what a random theta costs",
        )
    require(
        other > 10.0 * best,
        f"another draw's best theta costs {millimetres(other)}, its own {millimetres(best)}",
    )


def _corners(task: Task) -> Array:
    ends = np.array([task.space.lower, task.space.upper])
    if 2**task.space.dim <= MAX_CORNERS:
        return np.array(list(product(*ends.T)))
    drawn = np.random.default_rng(0).integers(2, size=(MAX_CORNERS, task.space.dim))
    return np.take_along_axis(ends, drawn, axis=0)


CHECKS: tuple[Callable[[Task], None], ...] = (
    dimensions_fit_together,
    definition_is_complete,
    goal_out_of_reach_is_refused,
    goals_are_drawn_from_the_region_or_fixed,
    shifted_physics_lie_outside_the_data_and_simulate,
    every_theta_passes_the_gate,
    rollouts_are_deterministic_and_observed,
    the_window_ends_at_rest_or_at_its_fixed_end,
    raw_form_is_state_and_goal,
    what_was_not_seen_is_not_guessed,
    goals_can_be_reached_and_need_adapting_to,
)
SIMULATED = frozenset(
    {
        shifted_physics_lie_outside_the_data_and_simulate,
        rollouts_are_deterministic_and_observed,
        the_window_ends_at_rest_or_at_its_fixed_end,
        raw_form_is_state_and_goal,
        goals_can_be_reached_and_need_adapting_to,
    }
)
"""Checks that need a scene."""
