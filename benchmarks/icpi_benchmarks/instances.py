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


def proposal_rng(seed: int, number: int, trial: int, label: str) -> np.random.Generator:
    """Return the generator of one proposal; every improver has its own."""
    return np.random.default_rng([seed, number, trial, zlib.crc32(label.encode())])
