"""Broyden's method: a Jacobian from the examples, then one rank-one correction per trial.

Broyden, *A class of methods for solving nonlinear simultaneous equations*, 1965 ("good" update).
The first step is that of ``ridge``.  The first Jacobian is that of ``gauss-newton`` from the data
set alone, around the better one of the first two trials.  Every later trial that moved by s from
the best trial before it and changed the error by y corrects it by (y - J s) s' / |s|^2, so that
J s = y.  Steps start from the best trial so far; one that does not improve on it is halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome
from icpi_ros.improvers.base import best
from icpi_ros.improvers.gauss_newton import GaussNewton, GaussNewtonOptions, distance
from icpi_ros.improvers.options import fixed


@dataclass(frozen=True)
class BroydenOptions(GaussNewtonOptions):
    """Tuned on training draws, see docs/baselines.md; pairs of the run's own are not used."""

    own_weight: float = fixed(GaussNewtonOptions.own_weight)
    own_softening: float = fixed(GaussNewtonOptions.own_softening)
    own_reach: float = fixed(GaussNewtonOptions.own_reach)
    damping: float = 0.03
    doubt: float = fixed(GaussNewtonOptions.doubt)
    softening: float = distance(
        0.01, "scaled length below which a step corrects less: the change is contact noise"
    )


class Broyden(GaussNewton):
    """Secant method from the best trial; see the module's text."""

    name: ClassVar[str] = "broyden"
    summary: ClassVar[str] = "Broyden's secant method, first Jacobian from the data set"
    Options = BroydenOptions
    options: BroydenOptions

    def _jacobian(self, base: Outcome, history: Sequence[Outcome]) -> Array:
        """Return the scaled Jacobian ``(m, d)`` after the corrections of all trials."""
        scale, before = self._index.scale, best(history[:2])
        jacobian = super()._jacobian(before, [before])
        for trial in history[2:]:
            step = scale.theta(trial.theta) - scale.theta(before.theta)
            change = scale.error(trial.error) - scale.error(before.error)
            length = float(step @ step) + self.options.softening**2
            jacobian = jacobian + np.outer(change - jacobian @ step, step) / length
            before = min(before, trial, key=lambda outcome: outcome.cost)
        return jacobian
