"""Edges of a box of theta at which a run ends, and the room that the arm leaves beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.bisection import last_passing
from icpi_ros.core.space import Parameter
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import feasibility_of

REACH = 0.5
"""How far beyond a bound is looked, a share of the parameter's range."""
HALVINGS = 5


@dataclass(frozen=True)
class Edge:
    """Bound of a parameter at which a theta is.

    Attributes:
        parameter: with its bounds.
        upper: True = the upper bound.
        room: farthest value beyond the bound that the arm can execute, all else as in theta;
            None = none; NaN = not known.
    """

    parameter: Parameter
    upper: bool
    room: float | None

    def text(self) -> str:
        """Return it in one line, with the remedy."""
        p, side = self.parameter, "upper" if self.upper else "lower"
        bound = p.text(p.upper if self.upper else p.lower)
        line = f"the best theta is at the {side} bound of {p.name}, {bound}"
        if self.room is None:
            return f"{line}; the arm allows no more there"
        line += ": a better one may be beyond"
        if np.isnan(self.room):
            return line
        return f"{line}; the arm allows up to {p.text(self.room, 3)}"


def edge_lines(task: Task, arm: Arm | None, trials: Sequence[Trial]) -> list[str]:
    """Return a line for each bound at which the best theta is, with the room beyond it."""
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    if len(done) < 2:
        return []
    best = min(done, key=lambda trial: trial.cost)
    return [edge.text() for edge in edges_of(task, arm, best.theta)]


def edges_of(task: Task, arm: Arm | None, theta: Array) -> list[Edge]:
    """Return the bounds of the task's box at which a theta ``(d,)`` is.

    Args:
        task: whose box is meant.
        arm: under its own limits; None = it, or the limits in force, are not known here.
        theta: the best of a run.
    """
    return [
        Edge(
            task.space.parameters[i],
            upper,
            np.nan if arm is None else _room(task, arm, theta, i, upper),
        )
        for i, upper in task.space.at_edge(theta)
    ]


def _room(task: Task, arm: Arm, theta: Array, index: int, upper: bool) -> float | None:
    """Return the farthest value of one parameter that the gate passes, beyond its bound."""
    why_not = feasibility_of(task, arm, SafetyGate(arm))
    p = task.space.parameters[index]
    bound, way = (p.upper if upper else p.lower), REACH * (p.upper - p.lower) * (1 if upper else -1)

    def passes(share: float) -> bool:
        tried = np.array(theta)
        tried[index] = bound + share * way
        try:
            with np.errstate(all="ignore"):
                return why_not(tried) is None
        except Exception:  # outside of its box a task promises nothing, such as speeds below 0
            return False

    share = 1.0 if passes(1.0) else last_passing(passes, HALVINGS)
    return float(bound + share * way) if share > 0.0 else None
