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

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.fitting.fit import Rows, fit_beside, fit_together
from icpi_ros.learn.outcome.fitting.kept_fits import Fetch, fetch
from icpi_ros.learn.outcome.fitting.process import Conditioned, LatentProcess
from icpi_ros.learn.outcome.fitting.rows import kept_examples
from icpi_ros.learn.paths import known_paths

COMPONENTS = 16
"""Principal components of the paths."""
OWN_LATENTS = 1
"""Latent numbers that only paths depend on."""
MAX_PATHS = 300
"""The fit takes time cubic in the paths; of more of them a part is used."""
MIN_PATHS = 40
MIN_GROUPS = 8
"""Physics samples; with fewer of them the residual of paths is not known."""
MIN_SIZE = 1e-3
"""Smallest size of the first component [m]."""
MIN_RESIDUAL = 0.001
"""Smallest residual, a standard deviation of the scaled error."""
MIN_GAIN = 0.05
"""Gain in log density below which paths are not used: chance alone has 0.02."""
MIN_REFIT_GAIN = 0.02
"""The same of latent vectors that serve both, below which those of the errors alone are kept."""
TEMPERS = (0.0, 0.1, 0.3)
"""Weights of the evidence of paths that are compared; 0 = they are not used.  Full weight was surer
than it was right in runs: the residual is that of latents fitted to the samples' own paths."""
ERROR_NOISE, PLACE_NOISE = 10.0, 10.0
"""Variance of an error under a sensor's noise, and of a component, in that of a place beside the
components: places are averages, and the clock of a noisy path starts early or late."""
WHITE = 0.1
"""Share of the residual's variance that is not the same at neighbouring thetas."""
LENGTH = 0.5
"""Longest length scale of the residual, scaled theta; else half the process's own."""
FACTORS = (1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
"""On the residual; the run's paths decide."""
MAX_NOISE = 0.02
"""Largest standard deviation of a path beside the components of the data set's [m]; a path that
has more of it is of another kind, and is not used."""
ANY = 3.0
"""Standard deviation of the components of a path that the model knows nothing of, in those of the
data set's; if that explains the run's paths as well, they are not believed."""
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
    """Evidence of paths about the latent numbers; ``K`` components, ``q`` shared numbers.

    Attributes:
        times: ``(P,)`` of the places, see :func:`icpi_ros.learn.paths.sample_path`.
        centre: ``(3 P,)`` mean path [m].
        axes: ``(3 P, K)`` orthonormal.
        unit: size of one unit of the components [m].
        sizes: ``(K,)`` standard deviations of the components.
        left_over: mean square of a coordinate beside the axes [m^2].
        process: of the components over theta.
        transfer: ``(K, m)`` residual of the components per residual of the errors.
        residual: ``(K, K)`` covariance of what is left of the components' residual.
        sensed: ``(K, K)`` covariance of the components per variance of a place, both in units: the
            noise of the places, and that of the errors which is transferred.
        temper: weight of the evidence.
    """

    times: Array
    centre: Array
    axes: Array
    unit: float
    sizes: Array
    left_over: float
    process: LatentProcess
    transfer: Array
    residual: Array
    sensed: Array
    temper: float

    def latent(self, thetas: Array, places: Array, off: Array, basis: Array) -> LatentBelief:
        """Return the belief about the shared latent numbers that paths give beyond the errors.

        Args:
            thetas: ``(n, d)`` trials, scaled to [-1, 1].
            places: ``(n, P, 3)`` of the trials' objects [m], frame ``base``; NaN where unknown.
            off: ``(n, m)`` errors minus the model's mean, scaled.
            basis: ``(n, m, q)`` of the errors.
        """
        q = basis.shape[2]
        flat = places.reshape(len(thetas), -1) - self.centre
        values = flat @ self.axes
        beside = np.mean(flat**2, axis=1) - np.sum(values**2, axis=1) / flat.shape[1]
        beside -= self.left_over
        there = known_paths(places) & (beside < MAX_NOISE**2)  # NaN where unknown
        if not there.any():
            return LatentBelief.prior(q)
        thetas, off, basis, values = thetas[there], off[there], basis[there], values[there]
        noise = max(float(np.median(beside[there])), 0.0) / self.unit**2
        mean, slopes = self.process.predict(thetas)
        missed, slopes = _beyond(values / self.unit - mean, slopes, off, basis, self.transfer)
        near = squared_exponential(thetas, thetas, np.minimum(0.5 * self.process.length, LENGTH))
        near = (1.0 - WHITE) * near + WHITE * np.eye(len(near))
        return self._likeliest(missed, slopes, near, noise, q)

    def _likeliest(
        self, missed: Array, slopes: Array, near: Array, noise: float, q: int
    ) -> LatentBelief:
        flat, rows = missed.ravel(), slopes.reshape(missed.size, -1)
        shared = rows @ rows.T
        noisy = noise * np.kron(np.eye(len(missed)), self.sensed)
        strange = np.tile((ANY * self.sizes) ** 2, len(missed)) + np.diag(noisy)
        best = -0.5 * float(np.sum(np.log(strange) + flat**2 / strange))
        found = LatentBelief.prior(q)
        for factor in FACTORS:
            covered = factor**2 * np.kron(near, self.residual) + noisy
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


def squared_exponential(first: Array, second: Array, lengths: Array) -> Array:
    """Return the squared exponential kernel ``(n, k)`` of ``(n, d)`` and ``(k, d)``."""
    gap = (first[:, np.newaxis] - second) / lengths
    return np.asarray(np.exp(-0.5 * np.sum(gap**2, axis=2)))


# --- fit ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PathRows:
    """Rows of the paths of a data set, as components, and what they are components of.

    Attributes:
        rows: of the components over theta, of all physics samples of the errors.
        first: ``(N,)`` rows of the errors that are the same executions.
        times: ``(P,)`` of the places.
        centre: ``(3 P,)`` mean path [m].
        axes: ``(3 P, K)`` orthonormal.
        unit: size of one unit of the components [m].
        left_over: mean square of a coordinate beside the axes [m^2].
    """

    rows: Rows
    first: Indices
    times: Array
    centre: Array
    axes: Array
    unit: float
    left_over: float


def path_rows(dataset: Dataset, errors: Rows) -> PathRows | None:
    """Return the rows of a data set's paths; None if it has too few of them.

    Args:
        dataset: with paths or without.
        errors: the rows of its errors.
    """
    if dataset.path is None or dataset.path_times is None:
        return None
    examples = kept_examples(dataset)
    first = np.flatnonzero(known_paths(dataset.path[examples]))
    first = first[:: max(1, -(-len(first) // MAX_PATHS))]
    group = errors.group[first]
    if len(first) < MIN_PATHS or errors.groups < MIN_GROUPS:
        return None
    if len(np.unique(group)) < errors.groups:
        return None  # a sample without paths
    flat = dataset.path[examples[first]].reshape(len(first), -1)
    centre = flat.mean(axis=0)
    sizes, axes = np.linalg.svd(flat - centre, full_matrices=False)[1:]
    unit = float(sizes[0]) / np.sqrt(len(first))
    if unit < MIN_SIZE:
        return None  # all paths are the same
    axes = axes[:COMPONENTS].T
    values = (flat - centre) @ axes
    left_over = float(np.sum((flat - centre) ** 2) - np.sum(values**2)) / flat.size
    theta = errors.inputs[first, : errors.theta_dim]
    sure = np.zeros(len(first), dtype=np.bool_)
    rows = Rows(theta, values / unit, group, sure, errors.theta_dim)
    return PathRows(rows, first, dataset.path_times, centre, axes, unit, left_over)


def residual_of(errors: Conditioned) -> float:
    """Return the RMS error of left-out samples, latent vectors known; no doubtful labels."""
    missed = errors.left_out()[~errors.rows.doubtful]
    return max(float(np.sqrt(np.mean(missed**2))), MIN_RESIDUAL)


def with_paths(
    errors: Conditioned, paths: PathRows, rms: Array, name: str = "", fits: Fetch = fetch
) -> tuple[Conditioned, PathModel | None]:
    """Return the process of the errors and what paths say, as left-out samples have it best.

    The latent vectors of the errors alone are compared with those that serve both.

    Args:
        errors: the fitted process of the errors alone.
        paths: of the same data set.
        rms: ``(m,)`` units of the scaled errors [m].
        name: of the data set's shipped fits.
        fits: how a fit is found.
    """
    beside = fit_beside(paths.rows, errors.found.latent, OWN_LATENTS, name, fits)
    both = fit_together(errors.rows, errors.found, paths.rows, beside, name, fits)
    best = -np.inf
    for found, other in [(errors.found, beside), both]:
        known, ways = Conditioned(errors.rows, found), Conditioned(paths.rows, other)
        scores, transfer, rest = _scored(known, ways, paths)
        top = int(np.argmax(scores))
        if scores[top] > best + MIN_REFIT_GAIN:
            best = float(scores[top])
            told = np.sqrt(ERROR_NOISE) * transfer * (paths.unit / rms)
            temper = TEMPERS[top] if best > scores[0] + MIN_GAIN else 0.0
            said = PathModel(
                paths.times,
                paths.centre,
                paths.axes,
                paths.unit,
                np.sqrt(np.mean(paths.rows.errors**2, axis=0)),
                paths.left_over,
                ways.process(),
                transfer,
                rest,
                PLACE_NOISE * np.eye(len(rest)) + (told @ told.T),
                max(temper, TEMPERS[1]),
            )
            chosen = known, said if temper > 0.0 else None
    return chosen


def _scored(errors: Conditioned, ways: Conditioned, paths: PathRows) -> tuple[Array, Array, Array]:
    """Return the scores of TEMPERS, and transfer and residual of the components.

    A score is the mean log density of a left-out sample's other executions after one of them; all
    are 0 where no sample has others.
    """
    missed = np.hstack([errors.left_out()[paths.first], ways.left_out()])
    m = errors.rows.errors.shape[1]
    covered = missed.T @ missed / len(missed) + 1e-10 * np.eye(missed.shape[1])
    transfer: Array = np.linalg.solve(covered[:m, :m], covered[:m, m:]).T.astype(np.float64)
    rest: Array = covered[m:, m:] - transfer @ covered[:m, m:]
    residual, scores = residual_of(errors), []
    for group in range(errors.rows.groups):
        theirs = np.flatnonzero((errors.rows.group == group) & ~errors.rows.doubtful)
        if len(theirs) < 2:
            continue
        ours = ways.rows.group == group
        mean, basis = errors.without(group).predict(errors.rows.inputs[theirs])
        off = errors.rows.errors[theirs] - mean
        at = np.searchsorted(theirs, paths.first[ours])
        values, slopes = ways.without(group).predict(ways.rows.inputs[ours])
        left = ways.rows.errors[ours] - values
        left, slopes = _beyond(left, slopes, off[at], basis[at], transfer)
        for i, row in enumerate(at.tolist()):
            beliefs = (_told(slopes[i], left[i], rest, temper, basis) for temper in TEMPERS)
            scores.append([_density(belief, off, basis, row, residual) for belief in beliefs])
    return np.mean(scores or [[0.0] * len(TEMPERS)], axis=0), transfer, rest


def _told(slopes: Array, left: Array, rest: Array, temper: float, basis: Array) -> LatentBelief:
    q = basis.shape[2]
    return _updated(slopes, left, rest / temper, q) if temper > 0.0 else LatentBelief.prior(q)


def _density(latent: LatentBelief, off: Array, basis: Array, row: int, residual: float) -> float:
    """Return the mean log density of the other errors once the error of one ``row`` is known."""
    moved, slopes = latent.applied(np.zeros_like(off), basis)
    left, others = off - moved, np.arange(len(off)) != row
    known = slopes[row]
    spread = np.linalg.inv(np.eye(known.shape[1]) + known.T @ known / residual**2)
    guess = spread @ known.T @ left[row] / residual**2
    left, slopes = left[others] - slopes[others] @ guess, slopes[others]
    covered = np.einsum("nmq,qr,nkr->nmk", slopes, spread, slopes)
    covered = covered + residual**2 * np.eye(off.shape[1])
    distance = np.sum(left * np.linalg.solve(covered, left[..., np.newaxis])[..., 0], axis=1)
    return float(np.mean(-0.5 * distance - 0.5 * np.linalg.slogdet(covered)[1]))
