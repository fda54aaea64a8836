"""Evidence of an object's path about the hidden physics of a run.

The places of a path, principal components y of them, depend on the same latent numbers z as the
errors do, and on a few others w of their own (what changes the way, not its end):

    y(x) = mean(x) + sum_i z_i basis_i(x) + sum_k w_k other_k(x) + residual

a process like the errors' (:mod:`icpi_ros.learn.outcome.model`) with a kernel of its own, fitted
after theirs, with z known: paths never spoil the lengths of the errors.  In a run each path is
linear evidence about z, so that a trial's prior on z is no longer standard normal.

The end of a path is the error, or nearly, so only what the path says beyond the error counts: the
residual of y given that of the error at the same theta, as they are correlated over physics samples
that are left out.  Whether paths help is decided on those samples, too: one execution with its path
predicts the sample's others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Indices, ObjectTrajectory
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.fit import Rows, fit_beside
from icpi_ros.learn.outcome.process import Conditioned, LatentProcess
from icpi_ros.learn.outcome.rows import kept_examples
from icpi_ros.learn.paths import known_paths, sample_paths

COMPONENTS = 16
"""Principal components of the paths."""
OWN_LATENTS = 1
"""Latent numbers that only paths depend on."""
MAX_PATHS = 300
"""The fit takes time cubic in the paths; of more of them a part is used."""
MIN_PATHS = 40
MIN_GROUPS = 8
"""Physics samples with paths; with fewer of them their residual is not known."""
TEMPERS = (0.0, 0.3, 1.0)
"""Weights of the evidence of paths that are compared; 0 = they are not used."""
WHITE = 0.1
"""Share of the residual's variance that is not the same at neighbouring thetas."""
LENGTH = 0.5
"""Longest length scale of the residual, scaled theta; else half the process's own."""
FACTORS = (1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
"""On the residual; the run's paths decide, so that paths of another kind are hardly believed."""
FACTOR_STD = 0.5
"""Standard deviation of the prior on the factor's natural logarithm."""


@dataclass(frozen=True)
class LatentBelief:
    """Normal belief about the latent numbers: mean ``(q,)``, and lower root ``(q, q)``."""

    mean: Array
    root: Array

    @classmethod
    def prior(cls, q: int) -> LatentBelief:
        """Return the standard normal one."""
        return cls(np.zeros(q), np.eye(q))

    def applied(self, mean: Array, basis: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and basis ``(n, m, q)`` in numbers that are standard normal."""
        return mean + basis @ self.mean, basis @ self.root


@dataclass(frozen=True)
class PathModel:
    """What paths say of the latent numbers; ``K`` components, ``q`` shared and ``w`` own numbers.

    Attributes:
        times: ``(P,)`` of the places, see :func:`icpi_ros.learn.paths.sample_path`.
        centre: ``(3 P,)`` mean path [m].
        axes: ``(3 P, K)`` orthonormal.
        unit: size of one unit of the components [m].
        left_over: mean square of a coordinate beside the axes [m^2].
        process: of the components over theta.
        transfer: ``(K, m)`` residual of the components per residual of the errors.
        residual: ``(K, K)`` covariance of what is left of the components' residual.
        temper: weight of the evidence.
    """

    times: Array
    centre: Array
    axes: Array
    unit: float
    left_over: float
    process: LatentProcess
    transfer: Array
    residual: Array
    temper: float

    def latent(
        self, thetas: Array, paths: Sequence[ObjectTrajectory | None], off: Array, basis: Array
    ) -> LatentBelief:
        """Return the belief about the shared latent numbers that paths give beyond the errors.

        Args:
            thetas: ``(n, d)`` trials, scaled to [-1, 1].
            paths: of the trials, None where unknown.
            off: ``(n, m)`` errors minus the model's mean, scaled.
            basis: ``(n, m, q)`` of the errors.
        """
        q = basis.shape[2]
        places = sample_paths(paths, self.times)
        there = known_paths(places)
        if not there.any():
            return LatentBelief.prior(q)
        thetas, off, basis = thetas[there], off[there], basis[there]
        flat = places[there].reshape(len(thetas), -1) - self.centre
        values = flat @ self.axes
        beside = np.mean(flat**2, axis=1) - np.sum(values**2, axis=1) / flat.shape[1]
        noise = max(float(np.median(beside)) - self.left_over, 0.0) / self.unit**2
        mean, slopes = self.process.predict(thetas)
        missed, slopes = _beyond(values / self.unit - mean, slopes, off, basis, self.transfer)
        near = _near(thetas, np.minimum(0.5 * self.process.length, LENGTH))
        near = (1.0 - WHITE) * near + WHITE * np.eye(len(near))
        return self._likeliest(missed, slopes, near, noise, q)

    def _likeliest(
        self, missed: Array, slopes: Array, near: Array, noise: float, q: int
    ) -> LatentBelief:
        flat, rows = missed.ravel(), slopes.reshape(missed.size, -1)
        shared = rows @ rows.T
        best, found = -np.inf, LatentBelief.prior(q)
        for factor in FACTORS:
            covered = factor**2 * np.kron(near, self.residual) + noise * np.eye(len(flat))
            root = np.linalg.cholesky(covered + shared)
            white = np.linalg.solve(root, flat)
            likely = -float(np.log(np.diag(root)).sum() + 0.5 * white @ white)
            likely -= 0.5 * (np.log(factor) / FACTOR_STD) ** 2
            if likely > best:
                best = likely
                found = _updated(rows, flat, covered / self.temper, q)
        return found


def _updated(rows: Array, missed: Array, covered: Array, q: int) -> LatentBelief:
    """Return the belief about the first ``q`` numbers after linear evidence."""
    weighed = np.linalg.solve(covered, np.column_stack([rows, missed]))
    precision = np.eye(rows.shape[1]) + rows.T @ weighed[:, :-1]
    spread = np.linalg.inv(0.5 * (precision + precision.T))
    mean = spread @ (rows.T @ weighed[:, -1])
    root: Array = np.linalg.cholesky(spread[:q, :q]).astype(np.float64)
    return LatentBelief(np.asarray(mean[:q], dtype=np.float64), root)


def _beyond(
    values: Array, slopes: Array, off: Array, basis: Array, transfer: Array
) -> tuple[Array, Array]:
    """Return components ``(n, K)`` and slopes ``(n, K, q + w)`` without what errors say of them."""
    told = np.einsum("km,nmq->nkq", transfer, basis)
    left = slopes.copy()
    left[:, :, : basis.shape[2]] -= told
    return values - off @ transfer.T, left


def _near(thetas: Array, lengths: Array) -> Array:
    gap = (thetas[:, np.newaxis] - thetas) / lengths
    return np.asarray(np.exp(-0.5 * np.sum(gap**2, axis=2)))


# --- fit ----------------------------------------------------------------------------------------


def path_model(
    dataset: Dataset, errors: Conditioned, latent: Array, residual: float
) -> PathModel | None:
    """Return what the paths of a data set say; None if it has too few, or they do not help.

    Args:
        dataset: with paths or without.
        errors: the fitted process of the errors.
        latent: ``(J, q)`` of its samples.
        residual: of the errors, see :class:`.model.OutcomeModel`.
    """
    if dataset.path is None or dataset.path_times is None:
        return None
    examples = kept_examples(dataset)
    first = np.flatnonzero(known_paths(dataset.path[examples]))
    first = first[:: max(1, -(-len(first) // MAX_PATHS))]
    group = errors.rows.group[first]
    if len(first) < MIN_PATHS or len(np.unique(group)) < max(MIN_GROUPS, latent.shape[1] + 2):
        return None
    flat = dataset.path[examples[first]].reshape(len(first), -1)
    centre = flat.mean(axis=0)
    sizes, axes = np.linalg.svd(flat - centre, full_matrices=False)[1:]
    count = min(COMPONENTS, len(sizes))
    unit = float(sizes[0]) / np.sqrt(len(first))
    if unit <= 0.0:
        return None
    axes = axes[:count].T
    values = (flat - centre) @ axes / unit
    left_over = float(np.mean(np.square(flat - centre))) - float(
        np.sum(values**2) * unit**2 / flat.size
    )
    theta = errors.rows.inputs[first, : errors.rows.theta_dim]
    inside = np.unique(group, return_inverse=True)
    rows = Rows(
        theta,
        values,
        np.asarray(inside[1], dtype=np.int64),
        np.zeros(len(first), dtype=np.bool_),
        theta.shape[1],
    )
    found = fit_beside(rows, latent[inside[0]], OWN_LATENTS)
    paths = Conditioned(rows, found)
    missed = np.hstack([errors.left_out()[first], paths.left_out()])
    m = errors.rows.errors.shape[1]
    covered = missed.T @ missed / len(missed) + 1e-10 * np.eye(missed.shape[1])
    transfer: Array = np.linalg.solve(covered[:m, :m], covered[:m, m:]).T.astype(np.float64)
    rest: Array = covered[m:, m:] - transfer @ covered[:m, m:]
    temper = _temper(errors, paths, first, inside[0], residual, transfer, rest)
    if temper == 0.0:
        return None
    return PathModel(
        dataset.path_times, centre, axes, unit, left_over, paths.process(), transfer, rest, temper
    )


def _temper(
    errors: Conditioned,
    paths: Conditioned,
    first: Indices,
    names: Indices,
    residual: float,
    transfer: Array,
    rest: Array,
) -> float:
    """Return the weight of paths with which left-out samples are predicted best."""
    scores = np.zeros(len(TEMPERS))
    for number, group in enumerate(names.tolist()):
        theirs = np.flatnonzero((errors.rows.group == group) & ~errors.rows.doubtful)
        ours = paths.rows.group == number
        mean, basis = errors.without(group).predict(errors.rows.inputs[theirs])
        off = errors.rows.errors[theirs] - mean
        at = np.searchsorted(theirs, first[ours])
        values, slopes = paths.without(number).predict(paths.rows.inputs[ours])
        missed, slopes = _beyond(
            paths.rows.errors[ours] - values, slopes, off[at], basis[at], transfer
        )
        for i, row in enumerate(at.tolist()):
            others = np.arange(len(theirs)) != row
            for t, temper in enumerate(TEMPERS):
                latent = LatentBelief.prior(basis.shape[2])
                if temper > 0.0:
                    latent = _updated(slopes[i], missed[i], rest / temper, basis.shape[2])
                scores[t] += _density(latent, off, basis, row, others, residual)
    return TEMPERS[int(np.argmax(scores))]


def _density(
    latent: LatentBelief, off: Array, basis: Array, row: int, others: Array, residual: float
) -> float:
    """Return the mean log density of ``others`` once the error of one ``row`` is known, too."""
    moved, slopes = latent.applied(np.zeros_like(off), basis)
    left = off - moved
    known = slopes[row]
    spread = np.linalg.inv(np.eye(known.shape[1]) + known.T @ known / residual**2)
    guess = spread @ known.T @ left[row] / residual**2
    left = left[others] - slopes[others] @ guess
    covered = np.einsum("nmq,qr,nkr->nmk", slopes[others], spread, slopes[others])
    covered = covered + residual**2 * np.eye(off.shape[1])
    distance = np.einsum("nm,nm->n", left, np.linalg.solve(covered, left[..., np.newaxis])[..., 0])
    return float(np.mean(-0.5 * distance - 0.5 * np.linalg.slogdet(covered)[1]))
