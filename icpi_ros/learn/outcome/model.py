"""Outcome model of a data set: the error as a function of theta, goal and unknown physics.

A Gaussian process with a latent vector z_j per physics sample j,
e_j(x) = f(x, z_j) + g_j(x) + noise, x = (theta, goal).  f has the kernel k(x, x') (1 + z . z')
plus a plane, so that it is linear in z:

    e(x) = mean(x) + sum_i z_i basis_i(x)

Two or three numbers then stand for friction, tilt or a rope's length, whatever the task; the few
trials of a run determine them, and with them the outcome of every other theta.  Factor form of the
latent-variable Gaussian process of Saemundsson, Hofmann and Deisenroth, "Meta Reinforcement
Learning with Latent Variable Gaussian Processes" (UAI 2018, arXiv 1803.07551); the in-context
model of outcomes that DICP (arXiv 2502.19009) plans with.

Every example gives two rows: its own error, and its label: at theta + dtheta the error is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset, fingerprint, trusted_labels
from icpi_ros.learn.outcome.fit import Hyperparameters, Rows, covariance, fit
from icpi_ros.learn.retrieval import Scale

LATENT_DIM = 4
"""Numbers that stand for the hidden physics; 3 did as well on some tasks, 1 and 2 did not."""
MAX_ROWS = 600
"""The fit takes time cubic in the rows; of larger data sets a part is used."""
MIN_ROWS = 10
"""Rows per physics sample; where there are too many samples, some are left out."""
VARIES = 0.05
"""A goal coordinate varies if its standard deviation is above this share of the error's RMS."""
UNKNOWN_RESIDUAL = 0.1
"""Residual where there are too few samples (under three) to measure it; see the posterior."""
MIN_RESIDUAL = 0.005
"""Smallest residual, a standard deviation of the scaled error."""


@dataclass(frozen=True)
class OutcomeModel:
    """The fitted model; ``m`` errors that count, ``q`` latent numbers, standard normal a priori.

    Attributes:
        scale: of theta and errors.
        counted: ``(m,)`` indices of the error dimensions that count in the cost.
        goal_mean: ``(g,)`` mean goal of the data set.
        goal_scale: ``(g,)`` its standard deviation; all 0 if the goal is always the same.
        length: ``(x,)`` length scales of the inputs.
        centres: ``(N, x)`` inputs of the rows, divided by the length scales.
        weights: ``(N, (1 + q) m)`` of the rows' kernels, mean first.
        plane: ``(1 + x, m)`` the shared plane.
        residual: standard deviation of the model's error for a physics sample that it has not
            seen, scaled error (leave-one-sample-out).
    """

    scale: Scale
    counted: Indices
    goal_mean: Array
    goal_scale: Array
    length: Array
    centres: Array
    weights: Array
    plane: Array
    residual: float

    def inputs(self, scaled: Array, goal: Array) -> Array:
        """Return model inputs ``(n, x)`` of thetas ``(n, d)`` in [-1, 1] and one goal ``(g,)``."""
        varies = self.goal_scale > 0.0
        if not varies.any():
            return scaled
        offset = (goal - self.goal_mean)[varies] / self.goal_scale[varies]
        return np.concatenate([scaled, np.tile(offset, (len(scaled), 1))], axis=1)

    def offset(self, goal: Array) -> Array:
        """Return ``(m,)``: scaled error minus this is what the model describes.

        Zero where the goal is an input.  A coordinate that is the same in all examples does not
        determine others; the error is then taken to be a position minus the goal if their
        dimensions agree.
        """
        return np.asarray(self.offsets(goal[np.newaxis])[0])

    def offsets(self, goals: Array) -> Array:
        """Return :meth:`offset` of goals ``(n, g)``, ``(n, m)``."""
        if goals.shape[1] != len(self.scale.rms):
            return np.zeros((len(goals), len(self.counted)))
        shift = np.where(self.goal_scale > 0.0, 0.0, (self.goal_mean - goals) / self.scale.rms)
        return np.asarray(shift[:, self.counted])

    def errors(self, error: Array) -> Array:
        """Scale errors ``(n, all)`` and keep those that count ``(n, m)``."""
        return np.asarray((error / self.scale.rms)[:, self.counted])

    @property
    def unit(self) -> Array:
        """``(m,)`` cost [m] of one unit of each scaled error."""
        return np.asarray((self.scale.rms * np.abs(self.scale.mask))[self.counted])

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and basis ``(n, m, q)`` at inputs ``(n, x)``."""
        at = inputs / self.length
        squares = np.sum(at**2, axis=1)[:, np.newaxis] + np.sum(self.centres**2, axis=1)
        near = np.exp(np.minimum(at @ self.centres.T - 0.5 * squares, 0.0))
        values = (near @ self.weights).reshape(len(inputs), -1, len(self.counted))
        mean = values[:, 0] + self.plane[0] + inputs @ self.plane[1:]
        return mean, np.moveaxis(values[:, 1:], 1, 2)


def outcome_model(dataset: Dataset, space: ParameterSpace, cost_mask: Array) -> OutcomeModel:
    """Return the model of a data set; seconds at the first call, then at once (last 8 kept)."""
    mask = tuple(float(value) for value in cost_mask)
    return _cached(_Source(fingerprint(dataset), space, mask, dataset))


@dataclass(frozen=True)
class _Source:
    """Source of a model; equal if the fingerprint, space and mask are."""

    key: str
    space: ParameterSpace
    mask: tuple[float, ...]
    dataset: Dataset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Source) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, bytes, ParameterSpace, tuple[float, ...]]:
        return self.key, self.dataset.label_cost.tobytes(), self.space, self.mask


@lru_cache(maxsize=8)
def _cached(source: _Source) -> OutcomeModel:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the same digits whatever the machine's number of processors
        return _learn(source.dataset, source.space, np.array(source.mask))


def _learn(dataset: Dataset, space: ParameterSpace, mask: Array) -> OutcomeModel:
    scale = Scale.of(dataset, space, mask)
    counted = np.flatnonzero(mask).astype(np.int64)
    mean, std = dataset.goal.mean(axis=0), dataset.goal.std(axis=0)
    least = VARIES * scale.rms if len(mean) == len(scale.rms) else 1e-6 * np.abs(mean)
    std = np.where(std > least, std, 0.0)
    mean = np.where(std > 0.0, mean, np.median(dataset.goal, axis=0))  # exact if all are equal
    empty = np.empty((0, 0))
    model = OutcomeModel(scale, counted, mean, std, np.ones(0), empty, empty, empty, 0.0)
    rows = _rows(dataset, model)
    found = fit(rows, min(LATENT_DIM, rows.groups - 1))
    return _conditioned(model, rows, found)


def _conditioned(model: OutcomeModel, rows: Rows, found: Hyperparameters) -> OutcomeModel:
    """Condition the fitted process on its rows; centre and whiten the latent vectors."""
    inverse: Array = np.linalg.inv(covariance(rows, found)).astype(np.float64)
    alpha: Array = np.asarray(inverse @ rows.errors, dtype=np.float64)
    latent, q = found.latent, found.latent.shape[1]
    centre = latent.mean(axis=0)
    covered = np.cov(latent, rowvar=False).reshape(q, q) + 1e-6 * np.eye(q)
    factors = np.column_stack(
        [1.0 + latent[rows.group] @ centre, latent[rows.group] @ np.linalg.cholesky(covered)]
    )
    weights = found.scales.signal**2 * factors[:, :, np.newaxis] * alpha[:, np.newaxis, :]
    slope = rows.inputs.T @ alpha
    return OutcomeModel(
        model.scale,
        model.counted,
        model.goal_mean,
        model.goal_scale,
        found.length,
        rows.inputs / found.length,
        weights.reshape(len(rows.errors), -1),
        found.scales.linear**2 * np.vstack([alpha.sum(axis=0), slope]),
        max(_left_out(rows, inverse, alpha), MIN_RESIDUAL) if q > 1 else UNKNOWN_RESIDUAL,
    )


def _left_out(rows: Rows, inverse: Array, alpha: Array) -> float:
    """Return the RMS error for physics samples that are left out, their latent vectors known.

    Rasmussen and Williams 2006, section 5.4.2, for blocks.  Doubtful labels do not count.
    """
    squares = []
    for group in range(rows.groups):
        members = np.flatnonzero(rows.group == group)
        missed = np.linalg.solve(inverse[np.ix_(members, members)], alpha[members])
        squares.append(missed[~rows.doubtful[members]] ** 2)
    return float(np.sqrt(np.mean(np.concatenate(squares))))


# --- rows of a data set -------------------------------------------------------------------------


def _rows(dataset: Dataset, model: OutcomeModel) -> Rows:
    """Return the rows of the examples and of their labels, of at most MAX_ROWS."""
    theta, goal, group, doubtful = _labels(dataset)
    zeros = np.zeros((len(theta), len(model.counted)))
    thetas = model.scale.theta(np.concatenate([dataset.theta, theta]))
    goals = np.concatenate([dataset.goal, goal])
    varies = model.goal_scale > 0.0
    offsets = (goals - model.goal_mean)[:, varies] / model.goal_scale[varies]
    errors = np.concatenate([model.errors(dataset.error), zeros]) - model.offsets(goals)
    groups = np.concatenate([np.asarray(dataset.group, dtype=np.int64), group])
    doubt = np.concatenate([np.zeros(len(dataset), dtype=np.bool_), doubtful])
    kept = _thinned(groups, np.arange(len(groups)) >= len(dataset))
    return Rows(
        np.concatenate([thetas, offsets], axis=1)[kept],
        errors[kept],
        np.unique(groups[kept], return_inverse=True)[1].astype(np.int64),
        doubt[kept],
        thetas.shape[1],
    )


def _labels(dataset: Dataset) -> tuple[Array, Array, Indices, NDArray[np.bool_]]:
    """Return solved thetas ``(L, d)``, their goals, groups, and which of them are doubtful.

    Examples of one draw and goal mostly share their label: it counts once.  Labels whose cost
    was not measured, or that are far from solving, are averaged over the draw and goal.
    """
    solved = dataset.theta + dataset.dtheta
    group = np.asarray(dataset.group, dtype=np.int64)
    good = trusted_labels(dataset)
    key = np.column_stack([group, dataset.goal, np.where(good[:, np.newaxis], solved, np.inf)])
    first, which = np.unique(key.round(9), axis=0, return_index=True, return_inverse=True)[1:]
    which = which.reshape(-1)
    counts = np.bincount(which)[:, np.newaxis]
    mean = np.zeros((len(first), solved.shape[1]))
    np.add.at(mean, which, solved)
    return mean / counts, dataset.goal[first], group[first], ~good[first]


def _thinned(group: Indices, label: NDArray[np.bool_]) -> Indices:
    """Return at most MAX_ROWS rows: of as many samples as can have MIN_ROWS each, labels first."""
    if len(group) <= MAX_ROWS:
        return np.arange(len(group))
    rng = np.random.default_rng(0)
    names, draw = np.unique(group, return_inverse=True)
    chosen = rng.permutation(len(names))[: MAX_ROWS // MIN_ROWS]
    shuffled = rng.permutation(len(group))
    shuffled = shuffled[np.isin(draw[shuffled], chosen)]
    shuffled = shuffled[np.lexsort((~label[shuffled], draw[shuffled]))]
    starts = np.searchsorted(draw[shuffled], draw[shuffled])
    turn = np.arange(len(shuffled)) - starts  # number of rows of its sample before a row
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:MAX_ROWS]])
