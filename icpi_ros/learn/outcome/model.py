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

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset, fingerprint
from icpi_ros.learn.outcome.fitting.fit import fit
from icpi_ros.learn.outcome.fitting.kept_fits import Fetch, fetch, key_of
from icpi_ros.learn.outcome.fitting.process import Conditioned, LatentProcess
from icpi_ros.learn.outcome.fitting.rows import RowFrame, rows_of
from icpi_ros.learn.outcome.path_model import (
    MIN_RESIDUAL,
    PathModel,
    path_rows,
    residual_of,
    with_paths,
)
from icpi_ros.learn.outcome.path_samples import evenly_known, without_pathless
from icpi_ros.learn.outcome.recalibration import Recalibration, recalibration_of
from icpi_ros.learn.outcome.residual import ResidualMap

LATENT_DIM = 4
"""Numbers that stand for the hidden physics; 3 did as well on some tasks, 1 and 2 did not."""
UNKNOWN_RESIDUAL = 0.1
"""Residual where there are too few samples (under three) to measure it; see the posterior."""
FIT_SOURCES = ("path_model.py", *(f"fitting/{name}.py" for name in ("fit", "process", "rows")))
"""Modules beside this one that fits depend on; with another text a shipped fit does not count."""


@dataclass(frozen=True)
class OutcomeModel(RowFrame):
    """The fitted model; ``m`` errors that count, ``q`` latent numbers, standard normal a priori.

    Attributes:
        process: of the errors, linear in the latent numbers.
        residual: standard deviation of the model's error for a physics sample that it has not
            seen, scaled error (leave-one-sample-out); RMS over the rows.
        where: factor on it at an input.
        noise: what the fit leaves unexplained, a standard deviation of the scaled error.
        path: what the object's path says of the latent numbers; None = nothing that helps.
        recalibration: factors on forecasts, see :mod:`icpi_ros.learn.outcome.recalibration`.
    """

    process: LatentProcess
    residual: float
    where: ResidualMap
    noise: float
    path: PathModel | None
    recalibration: Recalibration

    @property
    def length(self) -> Array:
        """``(x,)`` length scales of the inputs."""
        return self.process.length

    def predict(self, inputs: Array) -> tuple[Array, Array, Array]:
        """Return mean ``(n, m)``, basis ``(n, m, q)`` and residual ``(n,)`` at ``(n, x)``."""
        return (*self.process.predict(inputs), self.residual * self.where(inputs))


def outcome_model(
    dataset: Dataset, space: ParameterSpace, cost_mask: Array, paths: bool = True
) -> OutcomeModel:
    """Return the model of a data set; seconds at the first call, then at once (last 8 kept).

    Args:
        dataset: the examples.
        space: of theta.
        cost_mask: of the errors that count.
        paths: whether the objects' paths are evidence; if not, it is a model of errors alone.
    """
    mask = tuple(float(value) for value in cost_mask)
    key = key_of(_evidence(dataset), fingerprint(dataset))
    return _cached(_Source(key, space, mask, paths, dataset))


@dataclass(frozen=True)
class _Source:
    """Source of a model; equal if examples, space, mask and what counts as evidence are."""

    key: str
    space: ParameterSpace
    mask: tuple[float, ...]
    paths: bool
    dataset: Dataset = field(compare=False)


def _evidence(dataset: Dataset) -> tuple[Array, ...]:
    """Return what a model depends on beside the examples that a fingerprint is of."""
    if dataset.path is None or dataset.path_times is None:
        return (dataset.label_cost,)
    return dataset.label_cost, dataset.path, dataset.path_times


@lru_cache(maxsize=8)
def _cached(source: _Source) -> OutcomeModel:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the same digits whatever the machine's number of processors
        mask = np.array(source.mask)
        return learn(source.dataset, source.space, mask, paths=source.paths)


def learn(
    dataset: Dataset, space: ParameterSpace, mask: Array, fits: Fetch = fetch, paths: bool = True
) -> OutcomeModel:
    """Return the model of a data set; ``fits`` finds or computes what an optimiser has to find.

    Without ``paths`` it is the first of the fits that it has with them: of the errors alone.  With
    them, samples that have none are left out where they are few, unless paths help in nothing.
    """
    if paths and (tracked := without_pathless(dataset)) is not dataset:
        model = _learn(tracked, space, mask, fits, paths)
        return model if model.path else _learn(dataset, space, mask, fits, paths=False)
    return _learn(dataset, space, mask, fits, paths)


def _learn(
    dataset: Dataset, space: ParameterSpace, mask: Array, fits: Fetch, paths: bool
) -> OutcomeModel:
    frame = RowFrame.of(dataset, space, mask)
    rows = rows_of(dataset, frame)
    name = fit_name(dataset, space, mask)
    found = fit(rows, min(LATENT_DIM, rows.groups - 1), name, fits)
    ways = path_rows(evenly_known(dataset, rows), rows) if paths else None
    known, path = Conditioned(rows, found), None
    if ways is not None:
        known, path = with_paths(known, ways, frame.scale.rms[frame.counted], name, fits)
    measured = found.latent.shape[1] > 1
    residual = residual_of(known) if measured else UNKNOWN_RESIDUAL
    return OutcomeModel(
        frame.scale,
        frame.counted,
        frame.goal_mean,
        frame.goal_scale,
        frame.shifts,
        known.process(),
        residual,
        _map(known) if measured and residual > MIN_RESIDUAL else ResidualMap.flat(),
        known.found.scales.noise,
        path,
        recalibration_of(fingerprint(dataset)),
    )


def _map(known: Conditioned) -> ResidualMap:
    sure = ~known.rows.doubtful
    return ResidualMap.of(known.rows.inputs[sure], known.left_out()[sure], known.rows.group[sure])


def fit_name(dataset: Dataset, space: ParameterSpace, mask: Array) -> str:
    """Return the name of a shipped fit: of all that it depends on, the same on all processors."""
    sources = [(Path(__file__).parent / name).read_text("utf-8") for name in FIT_SOURCES]
    texts = (fingerprint(dataset), repr(space), repr([float(value) for value in mask]), *sources)
    return key_of(_evidence(dataset), *texts, str(LATENT_DIM))
