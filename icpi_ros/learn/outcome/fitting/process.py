"""Fitted process that is linear in the latent numbers, conditioned on its rows.

See :mod:`icpi_ros.learn.outcome.model` for the kernel.  The process has ``m`` values at an input,
mean(x) + sum_i z_i basis_i(x); z is standard normal a priori, centred and whitened over samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.learn.outcome.fitting.fit import Hyperparameters, Rows, covariance


@dataclass(frozen=True)
class LatentProcess:
    """Mean and basis functions of a process; ``m`` values, ``q`` latent numbers.

    Attributes:
        length: ``(x,)`` length scales of the inputs.
        centres: ``(N, x)`` inputs of the rows, divided by the length scales.
        weights: ``(N, (1 + q) m)`` of the rows' kernels, mean first.
        plane: ``(1 + x, m)`` the shared plane.
    """

    length: Array
    centres: Array
    weights: Array
    plane: Array

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and basis ``(n, m, q)`` at inputs ``(n, x)``."""
        at = inputs / self.length
        squares = np.sum(at**2, axis=1)[:, np.newaxis] + np.sum(self.centres**2, axis=1)
        near = np.exp(np.minimum(at @ self.centres.T - 0.5 * squares, 0.0))
        values = (near @ self.weights).reshape(len(inputs), -1, self.plane.shape[1])
        mean = values[:, 0] + self.plane[0] + inputs @ self.plane[1:]
        return mean, np.moveaxis(values[:, 1:], 1, 2)


class Conditioned:
    """Process conditioned on its rows, and on all but those of one physics sample.

    Attributes:
        rows: that it is conditioned on.
        found: hyperparameters and latent vectors.
    """

    def __init__(self, rows: Rows, found: Hyperparameters) -> None:
        """Invert the covariance of the rows."""
        self.rows, self.found = rows, found
        self._inverse = np.asarray(np.linalg.inv(covariance(rows, found)), dtype=np.float64)
        self._alpha = np.asarray(self._inverse @ rows.errors, dtype=np.float64)
        latent = found.latent
        centre, root = whitening(latent)
        each = latent[rows.group]
        self._factors = np.column_stack([1.0 + each @ centre, each @ root])

    def process(self) -> LatentProcess:
        """Return the process for physics that is none of the samples."""
        return self._process(np.arange(len(self.rows.errors)), self._alpha)

    def without(self, group: int) -> LatentProcess:
        """Return the process that rows of all other samples give."""
        ours = self.rows.group == group
        cut = np.linalg.solve(self._inverse[np.ix_(ours, ours)], self._alpha[ours])
        alpha = self._alpha[~ours] - self._inverse[np.ix_(~ours, ours)] @ cut
        return self._process(np.flatnonzero(~ours), alpha)

    def left_out(self) -> Array:
        """Return the errors ``(N, m)`` of samples that are left out, their latent vectors known.

        Rasmussen and Williams 2006, section 5.4.2, for blocks.
        """
        missed = np.empty_like(self._alpha)
        for group in range(self.rows.groups):
            ours = self.rows.group == group
            missed[ours] = np.linalg.solve(self._inverse[np.ix_(ours, ours)], self._alpha[ours])
        return missed

    def _process(self, kept: np.ndarray, alpha: Array) -> LatentProcess:
        inputs, scales = self.rows.inputs[kept], self.found.scales
        factors = self._factors[kept]
        weights = scales.signal**2 * factors[:, :, np.newaxis] * alpha[:, np.newaxis, :]
        slope = inputs.T @ alpha
        return LatentProcess(
            self.found.length,
            inputs / self.found.length,
            weights.reshape(len(kept), -1),
            scales.linear**2 * np.vstack([alpha.sum(axis=0), slope]),
        )


def whitening(latent: Array) -> tuple[Array, Array]:
    """Return centre ``(q,)`` and lower root ``(q, q)`` of latent vectors ``(J, q)``."""
    q = latent.shape[1]
    covered = np.cov(latent, rowvar=False).reshape(q, q) + 1e-6 * np.eye(q)
    return latent.mean(axis=0), np.asarray(np.linalg.cholesky(covered), dtype=np.float64)
