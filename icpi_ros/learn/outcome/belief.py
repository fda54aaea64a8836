"""Belief about the outcomes of a run: its interface, and the belief that a data set gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.learn.outcome.model import OutcomeModel
from icpi_ros.learn.outcome.posterior import LEAST, MAX_ROUGH, Posterior
from icpi_ros.learn.outcome.recalibration import NONE, Factors, factors_after
from icpi_ros.learn.retrieval import Scale

CAUTION = 1.4
"""Deviation of later trials, in those expected: near the goal the search finds what looks best by
chance, and contact is rougher there than it is on average (runs on training draws)."""


class OutcomeBelief(Protocol):
    """Gaussian prediction of a run's scaled errors, ``m`` of which count, at scaled thetas."""

    @property
    def scale(self) -> Scale:
        """Scale of theta and errors."""

    @property
    def unit(self) -> Array:
        """``(m,)`` cost [m] of one unit of each scaled error."""

    @property
    def noise(self) -> float:
        """Standard deviation of a trial, scaled error."""

    @property
    def usual_noise(self) -> float:
        """The same before any trial was seen."""

    @property
    def scatter(self) -> float:
        """Standard deviation of a trial about what its neighbours show, scaled error.

        The noise, and where it is known how rough contact is.
        """

    @property
    def caution(self) -> float:
        """Factor on the standard deviation of a theta that was chosen for its promise."""

    @property
    def recalibration(self) -> Factors:
        """Factors on middle and half-width of a forecast, learnt from runs."""

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and variance ``(n, m)``, noise left out, at ``(n, d)``."""

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and covariance ``(n m, n m)``, noise left out, at ``(n, d)``."""

    def others(self) -> tuple[OutcomeBelief, ...]:
        """Return beliefs that explain the rows nearly as well, for planning."""

    def from_data(self, point: Array) -> float:
        """Return the share of the knowledge at a point ``(d,)`` that is the data set's, 0 to 1.

        Before any data the scaled error has variance V; the data set alone leaves D of it, data
        set and trials together leave P.  The share is (V - D) / (V - P).
        """


@dataclass(frozen=True)
class DataBelief:
    """Belief of the outcome model of a data set after a run's trials.

    Attributes:
        posterior: of the model.
        goal: ``(g,)`` of the run.
        points: ``(c, d)`` of which ``known`` holds the model's prediction.
        known: mean, basis and residual, see :meth:`OutcomeModel.predict`.
    """

    posterior: Posterior
    goal: Array
    points: Array
    known: tuple[Array, Array, Array]

    @property
    def _model(self) -> OutcomeModel:
        return self.posterior.model

    @property
    def scale(self) -> Scale:
        """See :attr:`OutcomeBelief.scale`."""
        return self._model.scale

    @property
    def unit(self) -> Array:
        """See :attr:`OutcomeBelief.unit`."""
        return self._model.unit

    @property
    def noise(self) -> float:
        """See :attr:`OutcomeBelief.noise`."""
        return self.posterior.noise

    @property
    def usual_noise(self) -> float:
        """See :attr:`OutcomeBelief.usual_noise`."""
        return MAX_ROUGH

    @property
    def scatter(self) -> float:
        """See :attr:`OutcomeBelief.scatter`."""
        return float(np.hypot(self.posterior.noise, self.posterior.rough))

    @property
    def caution(self) -> float:
        """See :attr:`OutcomeBelief.caution`; after one trial the doubt is of the physics."""
        return CAUTION if len(self.posterior.thetas) > 1 else 1.0

    @property
    def recalibration(self) -> Factors:
        """See :attr:`OutcomeBelief.recalibration`; none where noise was found."""
        if self.posterior.noise > LEAST:
            return NONE
        trials, evidence = len(self.posterior.thetas), self.posterior.evidence
        return factors_after(trials, self._model.recalibration, evidence)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """See :meth:`OutcomeBelief.predict`."""
        mean, variance = self.posterior.predict(points, self._prior(points))
        return mean + self._model.offset(self.goal), variance

    def joint(self, points: Array) -> tuple[Array, Array]:
        """See :meth:`OutcomeBelief.joint`."""
        mean, covariance = self.posterior.joint(points, self._prior(points))
        return mean + self._model.offset(self.goal), covariance

    def _prior(self, points: Array) -> tuple[Array, Array, Array]:
        if points is self.points:
            return self.known
        return self._model.predict(self._model.inputs(points, self.goal))

    def others(self) -> tuple[OutcomeBelief, ...]:
        """See :meth:`OutcomeBelief.others`: the data set settles it, there are none."""
        return ()

    def from_data(self, point: Array) -> float:
        """See :meth:`OutcomeBelief.from_data`; V is 1, the mean square of the scaled error."""
        _, basis, residual = self._prior(point[np.newaxis])
        before = float(np.mean(np.sum(basis[0] ** 2, axis=1)))
        before += (self.posterior.share * float(residual[0])) ** 2
        after = float(self.predict(point[np.newaxis])[1].mean())
        return share(1.0, before, after)


def share(prior: float, data: float, both: float) -> float:
    """Return the share of :meth:`OutcomeBelief.from_data` from the three variances V, D and P."""
    learnt = prior - both
    return float(np.clip((prior - data) / learnt, 0.0, 1.0)) if learnt > 0.0 else 0.0
