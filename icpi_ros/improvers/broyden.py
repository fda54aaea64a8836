"""Broyden's method: a Jacobian from the examples, then one rank-one correction per trial.

Broyden, *A class of methods for solving nonlinear simultaneous equations*, 1965 ("good" update).
The first Jacobian is that of ``gauss-newton`` around the first attempt, from the nearest
examples.  Every later trial that moved by s from the best trial before it and changed the error
by y corrects it by (y - J s) s' / |s|^2, so that J s = y.  Steps start from the best trial so far;
one that does not improve on it is halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.context.regression import damped_step, shortened
from icpi_ros.improvers.base import Context, best, failures
from icpi_ros.improvers.gauss_newton import GaussNewton
from icpi_ros.types import Array, Outcome


@dataclass(frozen=True)
class BroydenSettings:
    """Tuned on training draws, see docs/baselines.md.

    Attributes:
        ridge_first: take the first step of ``ridge``.
        softening: scaled length below which a step corrects less: the change is contact noise.
        damping: of the step, as a share of the largest singular value.
        max_step: longest scaled step.
        shrink: factor on the step per trial since the best one, none of which improved on it.
    """

    ridge_first: bool = True
    softening: float = 0.01
    damping: float = 0.1
    max_step: float = 2.0
    shrink: float = 0.5


class Broyden(GaussNewton):
    """Secant method from the best trial; see the module's text."""

    name: ClassVar[str] = "broyden"
    summary: ClassVar[str] = "Broyden's secant method, first Jacobian from near examples"

    def __init__(self, context: Context, secant: BroydenSettings | None = None) -> None:
        """Index the data set.

        Raises:
            InvalidValue: a wrong option, or too few examples.
        """
        super().__init__(context)
        self._secant = secant or BroydenSettings()

    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        base, chosen = best(history), self._secant
        if len(history) == 1 and chosen.ridge_first:
            return base, self._local_step(base)
        jacobian = self._corrected(self._jacobian(history[0], history[:1]), history)
        step = damped_step(jacobian, self._index.scale.error(base.error), chosen.damping)
        return base, chosen.shrink ** failures(history) * shortened(step, chosen.max_step)

    def _corrected(self, jacobian: Array, history: Sequence[Outcome]) -> Array:
        """Return the scaled Jacobian ``(m, d)`` after the corrections of all trials."""
        scale, before = self._index.scale, history[0]
        for trial in history[1:]:
            step = scale.theta(trial.theta) - scale.theta(before.theta)
            change = scale.error(trial.error) - scale.error(before.error)
            length = float(step @ step) + self._secant.softening**2
            jacobian = jacobian + np.outer(change - jacobian @ step, step) / length
            before = min(before, trial, key=lambda outcome: outcome.cost)
        return jacobian
