"""Posterior of the outcome model after a run's trials: the run's physics, and the residual."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.learn.outcome.model import OutcomeModel
from icpi_ros.learn.outcome.path_model import LatentBelief, squared_exponential
from icpi_ros.learn.outcome.recalibration import ERROR, PATH
from icpi_ros.learn.paths import known_paths, sample_paths

ROUGH_LENGTH = 0.001
"""Length of contact's roughness, scaled theta: the same theta ends at the same place, one beside it
0.3 to 1 mm off, and the less the nearer it is."""
ROUGHNESS = (1.0, 0.3, 0.1)
"""Factors on the noise of the data set's fit, the standard deviation of the roughness."""
MAX_ROUGH = 0.004
"""Largest roughness, scaled error; what a fit leaves above it is no roughness."""
NOISES = (0.0, 0.01, 0.03, 0.1)
"""Standard deviations of one trial beside it, scaled error, such as a sensor's."""
NOISE_STD = 1.0
"""Standard deviations of the priors on the logarithms of roughness and of a noise, the latter from
MAX_ROUGH; the run's trials decide."""
LEAST = 1e-4
"""Smallest standard deviation of a trial, scaled error."""
RESIDUAL_LENGTH = 0.5
"""Longest length scale of the residual, scaled theta; else half the model's own."""
FACTORS = (0.5, 1.0, 2.0)
"""On the model's residual; the run's trials decide, so that shifted physics is noticed."""
WIDE_FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The same for data of one or two physics samples, which do not show how physics varies."""
FACTOR_STD = 0.35
"""Standard deviation of the prior on the factor's natural logarithm."""


@dataclass(frozen=True)
class Posterior:
    """Error predictions for one run, Gaussian: e = mean + z basis + residual.

    The residual is a process of its own over theta, the same kernel for every error dimension:
    far from the run's trials it is the model's doubt, near them it corrects the model, in the
    end as a secant method would (all trials of a run are one physics: in-run hindsight).

    Attributes:
        model: of the data set.
        latent: what the paths of the trials say of z.
        thetas: ``(n, d)`` trials, scaled to [-1, 1].
        basis: ``(n m, q)`` of the trials.
        lengths: ``(d,)`` of the residual.
        share: factor on the model's residual.
        residual: ``(n,)`` its standard deviation at the trials, scaled error.
        rough: that of contact's roughness, see ROUGH_LENGTH.
        noise: standard deviation of a trial, scaled error.
        factor: ``(n m, n m)`` inverse of the Cholesky factor of the trials' covariance.
        solved: ``(n m,)`` covariance^-1 (errors - mean).
        evidence: ``path`` where every trial was shown with one and the model uses them, ``error``
            where errors are all, None where some trials were.
    """

    model: OutcomeModel
    latent: LatentBelief
    thetas: Array
    basis: Array
    lengths: Array
    share: float
    residual: Array
    rough: float
    noise: float
    factor: Array
    solved: Array
    evidence: str | None

    @classmethod
    def of(
        cls,
        model: OutcomeModel,
        thetas: Array,
        errors: Array,
        goal: Array,
        paths: Sequence[ObjectTrajectory | None] = (),
    ) -> Posterior:
        """Condition on trials.

        Args:
            model: of the data set.
            thetas: ``(n, d)`` trials, scaled to [-1, 1].
            errors: ``(n, all)`` their errors [units of the task].
            goal: ``(g,)`` of the run.
            paths: of the trials' objects, None where unknown; none = all are.
        """
        mean, basis, residual = model.predict(model.inputs(thetas, goal))
        off = model.errors(errors) - model.offset(goal) - mean
        latent = LatentBelief.prior(basis.shape[2])
        evidence: str | None = ERROR
        if model.path is not None and any(path is not None for path in paths):
            places = sample_paths(paths, model.path.times)
            latent, evidence = model.path.latent(thetas, places, off, basis), _evidence(places)
        moved, basis = latent.applied(mean, basis)
        missed = (off - (moved - mean)).ravel()
        basis = basis.reshape(len(missed), -1)
        lengths = np.minimum(0.5 * model.length[: thetas.shape[1]], RESIDUAL_LENGTH)
        sizes = residual[:, np.newaxis] * residual
        near = np.kron(sizes * squared_exponential(thetas, thetas, lengths), np.eye(mean.shape[1]))
        uneven = np.kron(_roughness(thetas, thetas), np.eye(mean.shape[1]))
        shared = basis @ basis.T
        factors = FACTORS if basis.shape[1] > 1 else WIDE_FACTORS
        best = -np.inf
        found: tuple[float, float, float, Array, Array] | None = None
        usual = min(max(model.noise, LEAST), MAX_ROUGH)
        for share, (level, beside) in itertools.product(factors, _levels()):
            rough, noise = level * usual, max(beside, LEAST)
            covered = shared + share**2 * near + rough**2 * uneven
            factor = _inverse_root(covered + noise**2 * np.eye(len(missed)))
            white = factor @ missed
            likely = float(np.log(np.diag(factor)).sum() - 0.5 * white @ white)
            likely -= 0.5 * (np.log(share) / FACTOR_STD) ** 2
            likely -= 0.5 * (np.log(level) / NOISE_STD) ** 2
            likely -= 0.5 * (np.log(max(noise / MAX_ROUGH, 1.0)) / NOISE_STD) ** 2
            if found is None or likely > best:
                best, found = likely, (share, rough, noise, factor, factor.T @ white)
        assert found is not None  # the first one is always taken
        share = found[0]
        known = (share, share * residual, *found[1:])
        return cls(model, latent, thetas, basis, lengths, *known, evidence)

    def predict(self, thetas: Array, prior: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and variance ``(n, m)`` of the scaled error, noise left out.

        Args:
            thetas: ``(n, d)`` scaled to [-1, 1].
            prior: ``model.predict`` of their inputs.
        """
        mean, flat, residual = self._prior(prior)
        n, m = mean.shape
        cross = self._cross(thetas, flat, residual)
        white = cross @ self.factor.T
        own = np.repeat(residual**2, m) + self.rough**2
        variance = np.sum(flat**2, axis=1) + own - np.sum(white**2, axis=1)
        return (
            mean + (cross @ self.solved).reshape(n, m),
            np.maximum(variance, 0.0).reshape(n, m),
        )

    def joint(self, thetas: Array, prior: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and covariance ``(n m, n m)``; otherwise as :meth:`predict`."""
        mean, flat, residual = self._prior(prior)
        n, m = mean.shape
        cross = self._cross(thetas, flat, residual)
        white = cross @ self.factor.T
        near = (
            residual[:, np.newaxis] * residual * squared_exponential(thetas, thetas, self.lengths)
        )
        near += self.rough**2 * _roughness(thetas, thetas)
        covariance = flat @ flat.T + np.kron(near, np.eye(m)) - white @ white.T
        return mean + (cross @ self.solved).reshape(n, m), covariance

    def _prior(self, prior: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Return mean ``(n, m)``, basis ``(n m, q)`` and residual ``(n,)`` after the paths."""
        mean, basis = self.latent.applied(*prior[:2])
        return mean, basis.reshape(mean.size, -1), self.share * prior[2]

    def _cross(self, thetas: Array, flat: Array, residual: Array) -> Array:
        """Return the covariance ``(k m, n m)`` of thetas ``(k, d)`` with the trials."""
        cross = flat @ self.basis.T
        near = residual[:, np.newaxis] * self.residual
        near *= squared_exponential(thetas, self.thetas, self.lengths)
        near += self.rough**2 * _roughness(thetas, self.thetas)
        m = len(flat) // len(thetas)
        for k in range(m):  # the residuals of two dimensions are independent
            cross[k::m, k::m] += near
        return np.asarray(cross)


def _evidence(places: Array) -> str | None:
    """Return what trials with ``places`` ``(n, P, 3)`` show, see :attr:`Posterior.evidence`."""
    known = known_paths(places)
    if not known.any():
        return ERROR
    return PATH if known.all() else None


def _levels() -> tuple[tuple[float, float], ...]:
    """Return factors on the roughness with noises: a noise hides how rough it is."""
    return (*((level, 0.0) for level in ROUGHNESS), *((1.0, noise) for noise in NOISES[1:]))


def _inverse_root(covariance: Array) -> Array:
    """Return the inverse of the lower Cholesky factor."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)), dtype=np.float64)


def _roughness(first: Array, second: Array) -> Array:
    """Return the exponential kernel ``(n, k)`` of ``(n, d)`` and ``(k, d)``."""
    gap = np.linalg.norm(first[:, np.newaxis] - second, axis=2)
    return np.asarray(np.exp(-gap / ROUGH_LENGTH))
