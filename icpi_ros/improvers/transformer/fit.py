"""Last step of the transformer: an affine model fitted with its weights, then inverted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.improvers.transformer.tokens import StepTokens

PENALTIES = (-6.5, -7.5, -14.0, 1.0)
"""Log penalties of origin, its error, the step and the data set's offset, before training."""
CONSTANT = -14.0
"""That of the constant."""
DAMPING = -2.4
"""Log damping of the step, as a share of the squared Jacobian, before training."""
LIMIT = 12.0
"""Largest change of such a number, and of the log weight of a token, by the network."""
ROUNDS = 3
"""After each, parameters that have met a wall stay there."""


@dataclass(frozen=True)
class Affine:
    """Outcome around a step from the best trial.

    Attributes:
        error: ``(m,)`` after the step ``centre``.
        jacobian: ``(m, d)``.
        residuals: ``(S, m)`` of the tokens.
    """

    error: Array
    jacobian: Array
    residuals: Array


def limited(values: Array) -> Array:
    """Return outputs of the network, softly limited."""
    return np.asarray(LIMIT * np.tanh(values / LIMIT))


def softmax(logs: Array) -> Array:
    """Return positive numbers of sum 1 along the last dimension."""
    grown = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def fitted(t: StepTokens, logs: Array, centre: Array, run: Array) -> Affine:
    """Return the fit of the tokens' ends.

    Args:
        t: tokens.
        logs: ``(S,)`` log weights.
        centre: ``(d,)`` step around which it is fitted.
        run: ``(6,)`` outputs of the network for the run; the first four change the penalties.
    """
    d, m = t.step.shape[1], t.end.shape[1]
    columns = np.column_stack([np.ones(len(logs)), t.away, t.start, t.step - centre, 1.0 - t.own])
    penalties = np.concatenate([[CONSTANT], np.array(PENALTIES) + limited(run[:4])])
    weighted = columns * softmax(logs)[:, np.newaxis]
    normal = columns.T @ weighted + np.diag(np.repeat(np.exp(penalties), (1, d, m, d, 1)))
    found = np.linalg.solve(normal, weighted.T @ t.end)
    jacobian = np.asarray(found[1 + d + m : 1 + 2 * d + m].T, dtype=np.float64)
    return Affine(found[0], jacobian, columns @ found - t.end)


def boxed(model: Affine, damping: float, low: Array, high: Array) -> Array:
    """Return the damped step ``(d,)`` that zeroes an error, in a box."""
    jacobian = model.jacobian
    fixed, step = np.zeros(len(low), dtype=bool), np.zeros(len(low))
    ridge = (damping * np.sum(jacobian**2) + 1e-6) * np.eye(len(low))
    for _ in range(ROUNDS):
        held = np.where(fixed, np.clip(step, low, high), 0.0)
        free = np.where(fixed, 0.0, jacobian)
        moved = -np.linalg.solve(free.T @ free + ridge, free.T @ (model.error + jacobian @ held))
        step = np.where(fixed, held, moved)
        fixed |= (step < low) | (step > high)
    return np.asarray(np.clip(step, low, high))
