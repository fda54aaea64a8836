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
from pathlib import Path

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset, fingerprint
from icpi_ros.learn.outcome.fit import Hyperparameters, Rows, covariance, fit
from icpi_ros.learn.outcome.kept_fits import key_of
from icpi_ros.learn.outcome.residual import ResidualMap
from icpi_ros.learn.outcome.rows import RowFrame, rows_of

LATENT_DIM = 4
"""Numbers that stand for the hidden physics; 3 did as well on some tasks, 1 and 2 did not."""
UNKNOWN_RESIDUAL = 0.1
"""Residual where there are too few samples (under three) to measure it; see the posterior."""
MIN_RESIDUAL = 0.005
"""Smallest residual, a standard deviation of the scaled error."""

FIT_SOURCES = ("fit.py", "rows.py")
"""Modules beside this one that a fit depends on; with another text a shipped fit does not count."""


@dataclass(frozen=True)
class OutcomeModel(RowFrame):
    """The fitted model; ``m`` errors that count, ``q`` latent numbers, standard normal a priori.

    Attributes:
        length: ``(x,)`` length scales of the inputs.
        centres: ``(N, x)`` inputs of the rows, divided by the length scales.
        weights: ``(N, (1 + q) m)`` of the rows' kernels, mean first.
        plane: ``(1 + x, m)`` the shared plane.
        residual: standard deviation of the model's error for a physics sample that it has not
            seen, scaled error (leave-one-sample-out); RMS over the rows.
        where: factor on it at an input.
    """

    length: Array
    centres: Array
    weights: Array
    plane: Array
    residual: float
    where: ResidualMap

    def predict(self, inputs: Array) -> tuple[Array, Array, Array]:
        """Return mean ``(n, m)``, basis ``(n, m, q)`` and residual ``(n,)`` at ``(n, x)``."""
        at = inputs / self.length
        squares = np.sum(at**2, axis=1)[:, np.newaxis] + np.sum(self.centres**2, axis=1)
        near = np.exp(np.minimum(at @ self.centres.T - 0.5 * squares, 0.0))
        values = (near @ self.weights).reshape(len(inputs), -1, len(self.counted))
        mean = values[:, 0] + self.plane[0] + inputs @ self.plane[1:]
        return mean, np.moveaxis(values[:, 1:], 1, 2), self.residual * self.where(inputs)


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
    frame, rows = frame_and_rows(dataset, space, mask)
    found = fit(rows, latent_dim(rows), fit_key(dataset, space, mask))
    return _conditioned(frame, rows, found)


def frame_and_rows(dataset: Dataset, space: ParameterSpace, mask: Array) -> tuple[RowFrame, Rows]:
    """Return the rows that the model is fitted to, and their frame."""
    frame = RowFrame.of(dataset, space, mask)
    return frame, rows_of(dataset, frame)


def latent_dim(rows: Rows) -> int:
    """Return the number of latent numbers for rows."""
    return min(LATENT_DIM, rows.groups - 1)


def fit_key(dataset: Dataset, space: ParameterSpace, mask: Array) -> str:
    """Return the name of a shipped fit: of all that it depends on, the same on all processors."""
    sources = [Path(__file__).with_name(name).read_text("utf-8") for name in FIT_SOURCES]
    texts = (fingerprint(dataset), repr(space), repr([float(value) for value in mask]), *sources)
    return key_of((dataset.label_cost,), *texts, str(LATENT_DIM))


def _conditioned(frame: RowFrame, rows: Rows, found: Hyperparameters) -> OutcomeModel:
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
    misses, known = _left_out(rows, inverse, alpha), ~rows.doubtful
    residual = float(np.sqrt(np.mean(misses[known] ** 2)))
    return OutcomeModel(
        frame.scale,
        frame.counted,
        frame.goal_mean,
        frame.goal_scale,
        frame.shifts,
        found.length,
        rows.inputs / found.length,
        weights.reshape(len(rows.errors), -1),
        found.scales.linear**2 * np.vstack([alpha.sum(axis=0), slope]),
        max(residual, MIN_RESIDUAL) if q > 1 else UNKNOWN_RESIDUAL,
        ResidualMap.of(rows.inputs[known], misses[known], rows.group[known])
        if q > 1 and residual > MIN_RESIDUAL
        else ResidualMap.flat(),
    )


def _left_out(rows: Rows, inverse: Array, alpha: Array) -> Array:
    """Return the errors ``(N, m)`` for physics samples left out, their latent vectors known.

    Rasmussen and Williams 2006, section 5.4.2, for blocks.
    """
    misses = np.zeros_like(rows.errors)
    for group in range(rows.groups):
        members = np.flatnonzero(rows.group == group)
        misses[members] = np.linalg.solve(inverse[np.ix_(members, members)], alpha[members])
    return misses
