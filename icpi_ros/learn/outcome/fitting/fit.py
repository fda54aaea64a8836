"""Marginal-likelihood fit of the outcome model's kernel and of each physics sample's latent vector.

See :mod:`icpi_ros.learn.outcome.model` for the model.  With its covariance K of all rows and
errors E, the fit minimises 0.5 tr(E' K^-1 E) + 0.5 m log|K| (Rasmussen and Williams 2006, eq. 2.30,
one term per error dimension) minus the log density of weak priors, by L-BFGS with its gradient.

A fit takes seconds, so it is kept, see :mod:`icpi_ros.learn.outcome.fitting.kept_fits`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.outcome.fitting.kept_fits import Fetch, fetch, key_of

ITERATIONS = 150
MEMORY = 40
"""Steps that L-BFGS remembers.  With the usual 10 the fit stops farther from the optimum, and
farther apart on two kinds of processor; see docs/reproducibility.md."""
BESIDE_ITERATIONS = 60
"""The same of the fit of paths, whose latents are mostly known."""
PATH_SHARE = 0.2
"""Weight of the paths' likelihood in the fit of both."""
JITTER = 1e-6
"""Least variance of a row, scaled error: 1e-3 of the RMS error, less than contact noise.  Data
without any noise would otherwise make the covariance so ill-conditioned that rounding decides."""
LENGTH_START = (1.5, 5.0)
"""First length scales of theta (scaled to [-1, 1]) and of goals (in standard deviations)."""
LENGTH_PRIOR = np.log(2.0)
"""Mean of the normal prior on log length scales; its standard deviation is 1."""
SCALE_START = np.log([1.0, 0.7, 0.1, 0.02, 0.5, 0.3])
"""First log of: signal, linear, own, noise, own length factor, noise of doubtful labels."""
SCALE_STD = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 1.0])
"""Standard deviations of the normal priors around SCALE_START."""
LATENT_START = 0.3
"""Standard deviation of the random first latent vectors; their prior is standard normal."""


class Scales(NamedTuple):
    """Standard deviations in scaled error, but ``own_length``, a factor on the length scales.

    ``signal``: of the shared part and of its variation with the latent vector; ``linear``: of the
    shared plane; ``own``: of what is peculiar to one physics sample; ``noise``: of every row;
    ``doubt``: of labels whose cost was not measured.
    """

    signal: float
    linear: float
    own: float
    noise: float
    own_length: float
    doubt: float


MAX_LOG_SCALE = 30.0
"""Largest logarithm of a scale that is tried; sound ones are below 5."""


@dataclass(frozen=True)
class Rows:
    """Rows that the model is fitted to, scaled.

    Attributes:
        inputs: ``(N, x)`` theta in [-1, 1], then the goal where it varies.
        errors: ``(N, m)`` in units of their RMS.
        group: ``(N,)`` number of the physics sample, 0 to J - 1.
        doubtful: ``(N,)`` bool: a label that may be wrong.
        theta_dim: number of the inputs that are theta, the first ones.
    """

    inputs: Array
    errors: Array
    group: Indices
    doubtful: NDArray[np.bool_]
    theta_dim: int

    @property
    def groups(self) -> int:
        """Number of physics samples J."""
        return int(self.group.max()) + 1


@dataclass(frozen=True)
class Hyperparameters:
    """Length scales ``(x,)``, scales and latent vectors ``(J, q)``."""

    length: Array
    scales: Scales
    latent: Array


def fit(rows: Rows, latent_dim: int, name: str = "", fits: Fetch = fetch) -> Hyperparameters:
    """Return the most likely hyperparameters and latent vectors; deterministic.

    Args:
        rows: to fit to.
        latent_dim: numbers per physics sample.
        name: of the data set's shipped fits, see :func:`.kept_fits.fetch`.
        fits: how a fit is found.
    """
    objective, start = _Objective(rows, latent_dim), _start(rows, latent_dim)
    arrays = (rows.inputs, rows.errors, rows.group, rows.doubtful)
    key = key_of(arrays, *_versions(), f"{rows.theta_dim} {latent_dim}")
    return objective.unpack(
        fits(name, key, len(start), lambda: _search(objective, start, ITERATIONS))
    )


def _versions() -> tuple[str, ...]:
    """Return what a stored fit depends on beside its rows."""
    import scipy

    return Path(__file__).read_text(encoding="utf-8"), np.__version__, scipy.__version__


def _start(rows: Rows, latent_dim: int) -> Array:
    goal_dim = rows.inputs.shape[1] - rows.theta_dim
    length = np.repeat(LENGTH_START, (rows.theta_dim, goal_dim))
    latent = LATENT_START * np.random.default_rng(0).standard_normal((rows.groups, latent_dim))
    return np.concatenate([np.log(length), SCALE_START, latent.ravel()])


def _search(
    objective: Callable[[Array], tuple[float, Array]], start: Array, iterations: int
) -> Array:
    from scipy.optimize import minimize

    options = {"maxiter": iterations, "maxcor": MEMORY}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, dtype=np.float64)


def fit_beside(
    rows: Rows, latent: Array, extra: int, name: str = "", fits: Fetch = fetch
) -> Hyperparameters:
    """Return the most likely hyperparameters of other values of samples whose latents are known.

    Args:
        rows: of the values, such as paths.
        latent: ``(J, q)`` of the samples, kept as they are.
        extra: number of latent numbers beside them that only these values depend on.
        name: of the data set's shipped fits.
        fits: how a fit is found.
    """
    x, (groups, q) = rows.inputs.shape[1], latent.shape
    more = LATENT_START * np.random.default_rng(1).standard_normal((groups, extra))
    length = np.full(x, LENGTH_START[0])
    start = np.concatenate([np.log(length), SCALE_START, more.ravel()])
    objective = _Objective(rows, q + extra)

    def full(values: Array) -> Array:
        free = values[x + 6 :].reshape(groups, extra)
        return np.concatenate([values[: x + 6], np.hstack([latent, free]).ravel()])

    def reduced(values: Array) -> tuple[float, Array]:
        value, slope = objective(full(values))
        free = slope[x + 6 :].reshape(groups, q + extra)[:, q:]
        return value, np.concatenate([slope[: x + 6], free.ravel()])

    key = key_of((rows.inputs, rows.errors, rows.group, latent), *_versions(), f"beside {extra}")
    found = fits(
        name and f"{name}-beside",
        key,
        len(start),
        lambda: _search(reduced, start, BESIDE_ITERATIONS),
    )
    return objective.unpack(full(found))


def fit_together(
    rows: Rows,
    found: Hyperparameters,
    paths: Rows,
    beside: Hyperparameters,
    name: str = "",
    fits: Fetch = fetch,
) -> tuple[Hyperparameters, Hyperparameters]:
    """Return both fits, of errors and of paths, with latent vectors that serve both.

    The logarithm of the paths' likelihood counts PATH_SHARE: their values are many and alike.

    Args:
        rows: of the errors.
        found: their fit, the start.
        paths: rows of the same samples' paths.
        beside: their fit, see :func:`fit_beside`; its first latent numbers are those of ``found``.
        name: of the data set's shipped fits.
        fits: how a fit is found.
    """
    groups, q = found.latent.shape
    ours, theirs = _Objective(rows, q), _Objective(paths, beside.latent.shape[1])
    split = np.cumsum([len(found.length) + 6, len(beside.length) + 6])
    start = np.concatenate(
        [
            *(np.log(np.concatenate([each.length, each.scales])) for each in (found, beside)),
            beside.latent.ravel(),
        ]
    )

    def parts(values: Array) -> tuple[Array, Array]:
        first, second, latent = np.split(values, split)
        shared = latent.reshape(groups, -1)[:, :q]
        return np.concatenate([first, shared.ravel()]), np.concatenate([second, latent])

    def objective(values: Array) -> tuple[float, Array]:
        first, second = parts(values)
        value, slope = ours(first)
        other, push = theirs(second)
        push = PATH_SHARE * push
        latent, shared = push[-beside.latent.size :].reshape(groups, -1), first[split[0] :]
        latent[:, :q] += slope[split[0] :].reshape(groups, q)
        latent[:, :q] -= PATH_SHARE * shared.reshape(groups, q)  # their prior counts once
        other -= 0.5 * float(shared @ shared)
        return value + PATH_SHARE * other, np.concatenate([slope[: split[0]], push])

    arrays = (rows.inputs, rows.errors, rows.group, rows.doubtful, paths.inputs, paths.errors)
    key = key_of((*arrays, paths.group, start), *_versions(), "together")
    best = fits(
        name and f"{name}-together",
        key,
        len(start),
        lambda: _search(objective, start, BESIDE_ITERATIONS),
    )
    first, second = parts(best)
    return ours.unpack(first), theirs.unpack(second)


def covariance(rows: Rows, found: Hyperparameters) -> Array:
    """Return the covariance ``(N, N)`` of all rows, noise included."""
    return _Objective(rows, found.latent.shape[1]).terms(found).total


class _Terms(NamedTuple):
    """Parts of the covariance, ``(N, N)``.

    ``near``, the squared distance, and ``own`` are ``(P,)``, of the pairs within a group alone.
    """

    near: Array
    signal: Array
    varying: Array
    linear: Array
    own: Array
    total: Array


class _Objective:
    """Negative log posterior and its gradient."""

    def __init__(self, rows: Rows, latent_dim: int) -> None:
        self._rows, self._latent_dim = rows, latent_dim
        columns = rows.inputs.T
        self._squares = [(column[:, np.newaxis] - column) ** 2 for column in columns]
        self._planes = 1.0 + rows.inputs @ rows.inputs.T
        self._pairs = np.flatnonzero(rows.group[:, np.newaxis] == rows.group)

    def unpack(self, values: Array) -> Hyperparameters:
        x = len(self._squares)
        scales = Scales(*(float(value) for value in np.exp(values[x : x + 6])))
        latent = values[x + 6 :].reshape(self._rows.groups, self._latent_dim)
        return Hyperparameters(np.exp(values[:x]), scales, latent)

    def terms(self, at: Hyperparameters) -> _Terms:
        """Return the parts of the covariance and their sum."""
        scales, latent = at.scales, at.latent[self._rows.group]
        distance: Array = np.zeros_like(self._planes)
        for square, length in zip(self._squares, at.length, strict=True):
            distance += square / length**2
        near = distance.take(self._pairs)
        distance *= -0.5
        signal = np.exp(distance, out=distance)
        signal *= scales.signal**2
        varying = latent @ latent.T
        varying += 1.0
        varying *= signal
        linear = scales.linear**2 * self._planes
        own = scales.own**2 * np.exp(-0.5 * near / scales.own_length**2)
        total = varying + linear
        total.ravel()[self._pairs] += own
        _diagonal(total)[:] += scales.noise**2 + JITTER + scales.doubt**2 * self._rows.doubtful
        return _Terms(near, signal, varying, linear, own, total)

    def __call__(self, values: Array) -> tuple[float, Array]:
        """Return the objective and its gradient; a huge value where K cannot be factored."""
        from scipy.linalg.lapack import dpotrf, dpotri

        if (
            np.abs(values).max() > MAX_LOG_SCALE
        ):  # a step of the search too long, its powers overflow
            return 1e12, np.zeros_like(values)
        at = self.unpack(values)
        terms = self.terms(at)
        factor, singular = dpotrf(terms.total, lower=True)
        if singular or not np.isfinite(factor[-1, -1]):
            return 1e12, np.zeros_like(values)
        errors, m = self._rows.errors, self._rows.errors.shape[1]
        lower = dpotri(factor, lower=True)[0]  # zeros above its diagonal
        inverse = np.add(lower, lower.T, order="C")
        _diagonal(inverse)[:] = np.diag(lower)
        alpha = inverse @ errors
        fitted = 0.5 * float(np.vdot(errors, alpha))
        fitted += m * float(np.log(np.diag(factor)).sum())
        slope = np.multiply(m, inverse, out=inverse)
        slope -= alpha @ alpha.T
        slope *= 0.5
        gradient = self._gradient(at, terms, slope)
        penalty = self._priors(values, gradient)
        return fitted + penalty, gradient

    def _gradient(self, at: Hyperparameters, terms: _Terms, slope: Array) -> Array:
        """Chain d(objective)/dK ``slope`` ``(N, N)`` to all parameters."""
        scales, latent = at.scales, at.latent[self._rows.group]
        near = slope.take(self._pairs) * terms.own
        shaped = slope * terms.varying
        varying = float(shaped.sum())
        shaped.ravel()[self._pairs] += near / scales.own_length**2
        length = [
            np.vdot(shaped, square) / scale**2
            for square, scale in zip(self._squares, at.length, strict=True)
        ]
        diagonal = np.diag(slope)
        sizes = [
            2.0 * varying,
            2.0 * np.vdot(slope, terms.linear),
            2.0 * np.sum(near),
            2.0 * scales.noise**2 * np.sum(diagonal),
            np.vdot(near, terms.near) / scales.own_length**2,
            2.0 * scales.doubt**2 * np.sum(diagonal * self._rows.doubtful),
        ]
        by_group = np.zeros_like(at.latent)
        by_row = np.multiply(slope, terms.signal, out=shaped) @ latent
        np.add.at(by_group, self._rows.group, 2.0 * by_row)
        return np.concatenate([length, sizes, by_group.ravel()])

    def _priors(self, values: Array, gradient: Array) -> float:
        """Add the priors' slope to ``gradient`` in place and return their negative log."""
        x = len(self._squares)
        mean: Any = np.zeros_like(values)
        mean[:x], mean[x : x + 6] = LENGTH_PRIOR, SCALE_START
        std = np.ones_like(values)
        std[x : x + 6] = SCALE_STD
        off = (values - mean) / std
        gradient += off / std
        return 0.5 * float(off @ off)


def _diagonal(square: Array) -> Array:
    """Return the diagonal of a contiguous ``(N, N)``, to be written to."""
    return square.reshape(-1)[:: len(square) + 1]
