"""Instances of a benchmark: hidden physics, goal and first attempt, the same for all improvers.

An instance depends on the task, the draws, the seed and its number only (with an arm that cannot
execute every theta, on that too).  No stream of random
numbers here is one of a data set or of a run.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import Kind, invalid
from icpi_ros.core.types import Array
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import FeasibilityCheck, anything, first_possible

STREAMS = {"test": 0x7E51, "shifted": 0x5B1F, "train": 0x7A13}
"""Third entropy word of each kind of draws.  Data sets have 2 words or 0x401 as the third."""

DRIFT_STREAM = 0xD21F
"""Third entropy word of how the physics of an instance change from trial to trial."""


@dataclass(frozen=True)
class Instance:
    """One problem to solve.

    Attributes:
        number: from 0.
        physics: ``(P,)`` hidden physics.
        goal: ``(g,)``.
        theta: ``(d,)`` first attempt.

    The arrays are read-only: all improvers share them.
    """

    number: int
    physics: Array
    goal: Array
    theta: Array

    def __post_init__(self) -> None:
        for name in ("physics", "goal", "theta"):
            array = np.array(getattr(self, name))
            array.setflags(write=False)
            object.__setattr__(self, name, array)


def draw_instance(
    task: Task, draws: str, seed: int, number: int, why_not: FeasibilityCheck = anything
) -> Instance:
    """Draw instance ``number``: physics, goal and first theta, in this order.

    Args:
        task: whose spaces to draw from.
        draws: ``test``; ``shifted``, physics outside the documented range; or ``train``, like
            ``test`` but other instances, for tuning.
        seed: of the benchmark.
        number: from 0.
        why_not: reason why the arm cannot execute a theta; for the first attempt there is none.

    Raises:
        InvalidValue: unknown ``draws``.
    """
    if draws not in STREAMS:
        text = f"unknown draws {draws!r}: choose one of {', '.join(STREAMS)}"
        raise invalid(text, "draws", draws, tuple(STREAMS), kind=Kind.UNKNOWN_NAME)
    rng = np.random.default_rng([seed, number, STREAMS[draws]])
    physics = task.sample_shifted(rng) if draws == "shifted" else task.sample_physics(rng)
    goal = task.sample_goal(rng)
    return Instance(number, physics, goal, first_possible(task.space, rng, why_not))


def drifting_physics(
    task: Task, instance: Instance, share: float, seed: int, trials: int
) -> tuple[Array, ...]:
    """Return the hidden physics ``(P,)`` of every trial of an instance.

    The first quantity of the physics, friction where an object slides or rolls, walks at random:
    every step is normal, its standard deviation ``share`` of the width of the documented range,
    at whose ends it is reflected.  The same steps for all improvers, and times the share for all
    shares.  Trial 0 has the physics of the instance.
    """
    rng = np.random.default_rng([seed, instance.number, DRIFT_STREAM])
    steps = share * rng.standard_normal(trials - 1)
    physics = np.tile(instance.physics, (trials, 1))
    if task.physics_space.dim and share > 0.0:
        inside = task.physics_space.contains(instance.physics)
        range_ = (task.physics_space if inside else task.shifted_space).parameters[0]
        width = task.physics_space.parameters[0].upper - task.physics_space.parameters[0].lower
        walked = physics[0, 0] + width * np.concatenate([[0.0], np.cumsum(steps)])
        physics[1:, 0] = _reflected(walked, range_.lower, range_.upper)[1:]
    return tuple(physics)


def _reflected(values: Array, lower: float, upper: float) -> Array:
    """Return values ``(n,)`` folded into a range at its ends."""
    width = upper - lower
    return np.asarray(lower + width - np.abs(np.mod(values - lower, 2.0 * width) - width))


def proposal_rng(seed: int, number: int, trial: int, label: str) -> np.random.Generator:
    """Return the generator of one proposal; every improver has its own."""
    return np.random.default_rng([seed, number, trial, zlib.crc32(label.encode())])
