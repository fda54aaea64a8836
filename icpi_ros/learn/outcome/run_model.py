"""Outcome model of a run that has no data set, or hardly any: learnt from its own trials.

One Gaussian process per error dimension, all with the same kernel over theta,

    k(x, x') = signal^2 exp(-0.5 |(x - x') / length|^2) + linear^2 (1 + x . x')

plus noise.  It is the vector of errors that is learnt: Bayesian optimisation learns its norm,
which has a kink at the goal and forgets on which side a trial missed.

Examples of other physics, if there are a few, are rows of their own: k is multiplied by one
correlation (the intrinsic coregionalisation of Bonilla, Chai and Williams, "Multi-task Gaussian
process prediction", NIPS 2007).  With no example nothing of it is left, with more of them the
shared part is known better and better; so there is no step from no data to some.

All hyperparameters are the most likely ones under weak priors, found anew at every proposal from
the trials so far: nothing is kept between proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.belief import share
from icpi_ros.learn.outcome.fitting.rows import RowFrame, counted, goal_spread, rows_of
from icpi_ros.learn.outcome.recalibration import NONE, Factors
from icpi_ros.learn.retrieval import Scale

LENGTH = np.log((1.2, 5.0))
"""Prior means of the log length scales of theta (scaled to [-1, 1]) and of goals (in std)."""
LENGTH_STD = 0.5
SCALES = np.log((1.0, 0.7, 5e-3))
"""Prior means of log signal, linear and noise, in RMS errors; their standard deviations are 1."""
CORRELATION = 1.7
"""Prior mean of the logit of the correlation between two physics, 0.85; its std is 1."""
STARTS = (0.0, -1.0)
"""Log factors on the length scales from which the fit starts."""
ITERATIONS = 40
JITTER = 1e-7
"""Least variance of a row, scaled error; keeps trials of the same theta apart."""
DOUBT = 0.3
"""Standard deviation of a label whose cost was not measured, scaled error."""
OTHER_LENGTHS = (0.6, 1.6)
"""Factors on the fitted length scales of theta and goals that planning reckons with besides."""
MAX_LOG = 15.0
"""Largest logarithm of a hyperparameter that is tried."""


@dataclass(frozen=True)
class RunRows:
    """Rows of a few examples and of a run's trials, scaled.

    Attributes:
        inputs: ``(n, x)`` theta, then the goal where it varies.
        errors: ``(n, m)``.
        alike: ``(n, n)`` 1 for two rows of the same physics, else 0.
        doubt: ``(n,)`` variance of a row beside the noise.
        theta_dim: number of the inputs that are theta, the first ones.
        trials: number of the rows that are the run's, the last ones.
    """

    inputs: Array
    errors: Array
    alike: Array
    doubt: Array
    theta_dim: int
    trials: int


@dataclass(frozen=True)
class Kernel:
    """Hyperparameters: length scales ``(x,)``, standard deviations, correlation of two physics."""

    length: Array
    signal: float
    linear: float
    noise: float
    correlation: float

    def __call__(self, first: Array, second: Array) -> Array:
        """Return the covariance ``(n, k)`` of inputs ``(n, x)`` and ``(k, x)``, same physics."""
        gap = (first[:, np.newaxis] - second) / self.length
        near = np.exp(-0.5 * np.sum(gap**2, axis=2))
        return np.asarray(self.signal**2 * near + self.linear**2 * (1.0 + first @ second.T))

    def between(self, alike: Array) -> Array:
        """Return the factor on the covariance of rows that are ``alike`` or not."""
        return self.correlation + (1.0 - self.correlation) * alike

    def variance(self, inputs: Array) -> Array:
        """Return the variance ``(n,)`` at inputs before anything is known."""
        return np.asarray(self.signal**2 + self.linear**2 * (1.0 + np.sum(inputs**2, axis=1)))


@dataclass(frozen=True)
class RunBelief:
    """Belief about a run after its trials; see :class:`.belief.OutcomeBelief`.

    Attributes:
        frame: of theta, goals and errors.
        goal: ``(g,)`` of the run.
        rows: that it is conditioned on.
        kernel: fitted.
        factor: ``(n, n)`` inverse of the Cholesky factor of the rows' covariance.
        solved: ``(n, m)`` covariance^-1 errors.
    """

    frame: RowFrame
    goal: Array
    rows: RunRows
    kernel: Kernel
    factor: Array
    solved: Array

    @classmethod
    def of(cls, frame: RowFrame, goal: Array, rows: RunRows) -> RunBelief:
        """Fit the kernel and condition on the rows."""
        return cls.with_kernel(frame, goal, rows, fit_kernel(rows))

    @classmethod
    def with_kernel(cls, frame: RowFrame, goal: Array, rows: RunRows, kernel: Kernel) -> RunBelief:
        """Condition a kernel on the rows."""
        factor = _inverse_root(covariance(rows, kernel))
        return cls(frame, goal, rows, kernel, factor, factor.T @ (factor @ rows.errors))

    def others(self) -> tuple[RunBelief, ...]:
        """Beliefs with shorter and longer length scales; see :meth:`OutcomeBelief.others`.

        A few trials hardly tell the lengths: one fit alone is too sure of itself.
        """
        kernels = (replace(self.kernel, length=f * self.kernel.length) for f in OTHER_LENGTHS)
        return tuple(
            RunBelief.with_kernel(self.frame, self.goal, self.rows, kernel) for kernel in kernels
        )

    @property
    def scale(self) -> Scale:
        """See :attr:`OutcomeBelief.scale`."""
        return self.frame.scale

    @property
    def unit(self) -> Array:
        """See :attr:`OutcomeBelief.unit`."""
        return self.frame.unit

    @property
    def noise(self) -> float:
        """See :attr:`OutcomeBelief.noise`."""
        return self.kernel.noise

    @property
    def usual_noise(self) -> float:
        """See :attr:`OutcomeBelief.usual_noise`."""
        return float(np.exp(SCALES[2]))

    @property
    def scatter(self) -> float:
        """See :attr:`OutcomeBelief.scatter`."""
        return self.noise

    @property
    def caution(self) -> float:
        """See :attr:`OutcomeBelief.caution`; the kernel is fitted to the run itself."""
        return 1.0

    @property
    def recalibration(self) -> Factors:
        """See :attr:`OutcomeBelief.recalibration`; there are none."""
        return NONE

    def predict(self, points: Array) -> tuple[Array, Array]:
        """See :meth:`OutcomeBelief.predict`."""
        inputs = self.frame.inputs(points, self.goal)
        cross = self._cross(inputs)
        explained = np.sum((cross @ self.factor.T) ** 2, axis=1)
        variance = np.maximum(self.kernel.variance(inputs) - explained, 0.0)
        return cross @ self.solved, np.tile(variance[:, np.newaxis], self.solved.shape[1])

    def joint(self, points: Array) -> tuple[Array, Array]:
        """See :meth:`OutcomeBelief.joint`; the errors of two dimensions are independent."""
        inputs = self.frame.inputs(points, self.goal)
        cross = self._cross(inputs)
        white = cross @ self.factor.T
        shared = self.kernel(inputs, inputs) - white @ white.T
        covariance = np.asarray(np.kron(shared, np.eye(self.solved.shape[1])), dtype=np.float64)
        return cross @ self.solved, covariance

    def _cross(self, inputs: Array) -> Array:
        """Return the covariance ``(k, n)`` of the run at inputs with the rows."""
        factor = self.kernel.between(self.rows.alike[-1])
        return np.asarray(factor * self.kernel(inputs, self.rows.inputs))

    def from_data(self, point: Array) -> float:
        """See :meth:`OutcomeBelief.from_data`; V is the variance of the kernel."""
        inputs = self.frame.inputs(point[np.newaxis], self.goal)
        examples = len(self.rows.inputs) - self.rows.trials
        cross = self._cross(inputs)[0, :examples]
        explained = float(np.sum((self.factor[:examples, :examples] @ cross) ** 2))
        prior = float(self.kernel.variance(inputs)[0])
        return share(prior, prior - explained, float(self.predict(point[np.newaxis])[1][0, 0]))


def run_belief(
    dataset: Dataset,
    space: ParameterSpace,
    mask: Array,
    goal: Array,
    trials: tuple[Array, Array],
) -> RunBelief:
    """Return the belief about a run.

    Args:
        dataset: few examples, or none.
        space: of theta.
        mask: weight of each error dimension in the cost, 0 = left out.
        goal: ``(g,)`` of the run.
        trials: thetas ``(n, d)`` and errors ``(n, all)`` of the run, at least one.
    """
    frame = _frame(dataset, space, mask, goal, trials[1])
    return RunBelief.of(frame, goal, _rows(frame, dataset, goal, *trials))


def _frame(
    dataset: Dataset, space: ParameterSpace, mask: Array, goal: Array, errors: Array
) -> RowFrame:
    """Return a frame in which all errors that count have one unit, the RMS of all rows."""
    chosen = counted(mask)
    weighted = (np.concatenate([dataset.error, errors]) * np.abs(mask))[:, chosen]
    size = float(np.sqrt(np.mean(weighted**2))) or 1.0
    rms = np.ones(len(mask))
    rms[chosen] = size / np.abs(mask)[chosen]
    spread = goal_spread(np.vstack([dataset.goal, goal]), rms)
    shifts = np.ones(len(goal), dtype=np.bool_)
    return RowFrame(Scale(space, rms, np.asarray(mask, float)), chosen, goal, spread, shifts)


def _rows(frame: RowFrame, dataset: Dataset, goal: Array, thetas: Array, errors: Array) -> RunRows:
    """Return the rows of the examples, then those of the trials."""
    own = frame.inputs(frame.scale.theta(thetas), goal)
    group = np.full(len(own), -1)
    inputs, scaled, doubt = own, frame.errors(errors), np.zeros(len(own))
    if len(dataset):
        rows = rows_of(dataset, frame)
        inputs, scaled = np.vstack([rows.inputs, inputs]), np.vstack([rows.errors, scaled])
        group = np.concatenate([rows.group, group])
        doubt = np.concatenate([DOUBT**2 * rows.doubtful, doubt])
    alike = (group[:, np.newaxis] == group).astype(np.float64)
    return RunRows(inputs, scaled, alike, doubt, thetas.shape[1], len(own))


# --- fit ----------------------------------------------------------------------------------------


def fit_kernel(rows: RunRows, shifts: Sequence[float] = STARTS) -> Kernel:
    """Return the most likely kernel, fitted from starts as in :data:`STARTS`; deterministic."""
    from scipy.optimize import minimize

    objective = KernelObjective(rows)
    options = {"maxiter": ITERATIONS}
    found: tuple[float, Array] | None = None
    for shift in shifts:
        start = objective.mean.copy()
        start[: rows.theta_dim] += shift
        result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        if found is None or result.fun < found[0] - 1e-6:
            found = float(result.fun), np.asarray(result.x)
    assert found is not None  # the first one is always taken
    return objective.kernel(found[1])


def covariance(rows: RunRows, kernel: Kernel) -> Array:
    """Return the covariance ``(n, n)`` of rows, noise included."""
    total = kernel.between(rows.alike) * kernel(rows.inputs, rows.inputs)
    return np.asarray(total + np.diag(kernel.noise**2 + JITTER + rows.doubt))


class KernelObjective:
    """Negative log posterior of the hyperparameters, and its gradient.

    Rasmussen and Williams 2006, equation 2.30, one term per error dimension.  The vector is log
    lengths ``(x,)``, log signal, linear and noise, and with examples the logit of the correlation.
    """

    def __init__(self, rows: RunRows) -> None:
        self._rows = rows
        n, x = rows.inputs.shape
        gaps = rows.inputs[:, np.newaxis] - rows.inputs
        self._squares = np.ascontiguousarray(np.moveaxis(gaps**2, 2, 0)).reshape(x, n * n)
        self._planes = 1.0 + rows.inputs @ rows.inputs.T
        self._others = rows.trials < n
        lengths = np.repeat(LENGTH, (rows.theta_dim, x - rows.theta_dim))
        self.mean = np.concatenate([lengths, SCALES, [CORRELATION] * self._others])
        self._std = np.concatenate([np.full(x, LENGTH_STD), np.ones(3 + self._others)])

    def kernel(self, values: Array) -> Kernel:
        """Return the kernel of a vector."""
        x = len(self._squares)
        signal, linear, noise = (float(value) for value in np.exp(values[x : x + 3]))
        correlation = float(1.0 / (1.0 + np.exp(-values[x + 3]))) if self._others else 1.0
        return Kernel(np.exp(values[:x]), signal, linear, noise, correlation)

    def __call__(self, values: Array) -> tuple[float, Array]:
        """Return the objective and its gradient; a huge value where K cannot be factored."""
        from scipy.linalg.lapack import dpotrf, dpotri

        if np.abs(values).max() > MAX_LOG:
            return 1e12, np.zeros_like(values)
        kernel, rows = self.kernel(values), self._rows
        n, m = rows.errors.shape
        weights = kernel.length**-2.0
        signal = kernel.signal**2 * np.exp(-0.5 * (weights @ self._squares)).reshape(n, n)
        linear = kernel.linear**2 * self._planes
        between = kernel.between(rows.alike)
        total = between * (signal + linear)
        total.reshape(-1)[:: n + 1] += kernel.noise**2 + JITTER + rows.doubt
        factor, singular = dpotrf(total, lower=True)
        if singular:
            return 1e12, np.zeros_like(values)
        lower = np.tril(dpotri(factor, lower=True)[0])
        inverse = lower + lower.T - np.diag(np.diag(lower))
        alpha = inverse @ rows.errors
        fitted = 0.5 * float(np.vdot(rows.errors, alpha))
        fitted += m * float(np.log(np.diag(factor)).sum())
        slope = 0.5 * (m * inverse - alpha @ alpha.T)
        shared = slope * between
        shaped = shared * signal
        gradient = np.empty_like(values)
        x = len(weights)
        gradient[:x] = (self._squares @ shaped.ravel()) * weights
        gradient[x] = 2.0 * shaped.sum()
        gradient[x + 1] = 2.0 * np.vdot(shared, linear)
        gradient[x + 2] = 2.0 * kernel.noise**2 * np.trace(slope)
        if self._others:
            apart = (1.0 - rows.alike) * (signal + linear)
            rate = kernel.correlation * (1.0 - kernel.correlation)
            gradient[x + 3] = rate * np.vdot(slope, apart)
        off = (values - self.mean) / self._std
        return fitted + 0.5 * float(off @ off), gradient + off / self._std


def _inverse_root(covariance: NDArray[np.float64]) -> Array:
    """Return the inverse of the lower Cholesky factor."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)), dtype=np.float64)
