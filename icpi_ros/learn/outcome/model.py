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

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset, fingerprint
from icpi_ros.learn.outcome.fit import fit
from icpi_ros.learn.outcome.path_model import PathModel, path_rows, residual_of, with_paths
from icpi_ros.learn.outcome.process import Conditioned, LatentProcess
from icpi_ros.learn.outcome.rows import RowFrame, rows_of

LATENT_DIM = 4
"""Numbers that stand for the hidden physics; 3 did as well on some tasks, 1 and 2 did not."""
UNKNOWN_RESIDUAL = 0.1
"""Residual where there are too few samples (under three) to measure it; see the posterior."""


@dataclass(frozen=True)
class OutcomeModel(RowFrame):
    """The fitted model; ``m`` errors that count, ``q`` latent numbers, standard normal a priori.

    Attributes:
        process: of the errors, linear in the latent numbers.
        residual: standard deviation of the model's error for a physics sample that it has not
            seen, scaled error (leave-one-sample-out).
        noise: what the fit leaves unexplained, a standard deviation of the scaled error.
        path: what the object's path says of the latent numbers; None = nothing that helps.
    """

    process: LatentProcess
    residual: float
    noise: float
    path: PathModel | None

    @property
    def length(self) -> Array:
        """``(x,)`` length scales of the inputs."""
        return self.process.length

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Return mean ``(n, m)`` and basis ``(n, m, q)`` at inputs ``(n, x)``."""
        return self.process.predict(inputs)


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
    def _identity(self) -> tuple[str, bytes, bytes, ParameterSpace, tuple[float, ...]]:
        data = self.dataset
        paths = b"" if data.path is None else data.path.tobytes()
        return self.key, data.label_cost.tobytes(), paths, self.space, self.mask


@lru_cache(maxsize=8)
def _cached(source: _Source) -> OutcomeModel:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the same digits whatever the machine's number of processors
        return _learn(source.dataset, source.space, np.array(source.mask))


def _learn(dataset: Dataset, space: ParameterSpace, mask: Array) -> OutcomeModel:
    frame = RowFrame.of(dataset, space, mask)
    rows = rows_of(dataset, frame)
    found = fit(rows, min(LATENT_DIM, rows.groups - 1))
    paths = path_rows(dataset, rows)
    known, path = Conditioned(rows, found), None
    if paths is not None:
        known, path = with_paths(known, paths, frame.scale.rms[frame.counted])
    residual = residual_of(known) if found.latent.shape[1] > 1 else UNKNOWN_RESIDUAL
    return OutcomeModel(
        frame.scale,
        frame.counted,
        frame.goal_mean,
        frame.goal_scale,
        frame.shifts,
        known.process(),
        residual,
        known.found.scales.noise,
        path,
    )
