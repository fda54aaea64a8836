"""Small weighted least squares, for improvers that fit the examples around a trial."""

from __future__ import annotations

import numpy as np

from icpi_ros.core.types import Array, Indices


def weighted_ridge(inputs: Array, targets: Array, weights: Array, penalty: Array) -> Array:
    """Return the coefficients ``(p, q)`` that minimise sum w |y - x C|^2 + sum penalty C^2.

    By least squares on stacked rows, not by normal equations, which lose half the digits.

    Args:
        inputs: ``(n, p)`` x.
        targets: ``(n, q)`` y.
        weights: ``(n,)`` w, not negative.
        penalty: ``(p,)`` positive.
    """
    root = np.sqrt(weights)[:, np.newaxis]
    rows = np.vstack([root * inputs, np.diag(np.sqrt(penalty))])
    zeros = np.zeros((len(penalty), targets.shape[1]))
    return np.asarray(np.linalg.lstsq(rows, np.vstack([root * targets, zeros]), rcond=None)[0])


def gaussian_weights(distances: Array, bandwidth: float) -> Array:
    """Return weights ``(k,)`` of examples at ``distances`` ``(k,)``, nearest first.

    Their standard deviation is ``bandwidth`` times the distance of the last one.
    """
    width = max(bandwidth * float(distances[-1]), 1e-9)
    return np.asarray(np.exp(-0.5 * (distances / width) ** 2))


def ordered_pairs(count: int) -> tuple[Indices, Indices]:
    """Return the indices i and j of all ordered pairs (i, j), i not j, of ``count`` things."""
    i, j = np.nonzero(~np.eye(count, dtype=bool))
    return i, j


def damped_step(jacobian: Array, error: Array, damping: float) -> Array:
    """Return the step ``(d,)`` that brings a linear error ``(m,)`` near zero.

    Least norm, by singular values; those that are small against the largest are damped
    (Levenberg-Marquardt): s / (s^2 + (damping s_max)^2).

    Args:
        jacobian: ``(m, d)`` change of the error with the step.
        error: ``(m,)`` before the step.
        damping: as a share of the largest singular value.
    """
    left, singular, right = np.linalg.svd(jacobian, full_matrices=False)
    if len(singular) == 0 or singular[0] <= 1e-12:
        return np.zeros(jacobian.shape[1])
    inverse = singular / (singular**2 + (damping * singular[0]) ** 2)
    return np.asarray(-(right.T @ (inverse * (left.T @ error))))


def shortened(step: Array, limit: float) -> Array:
    """Return ``step`` ``(d,)``, or one of length ``limit`` in its direction if it is longer."""
    return step * min(1.0, limit / max(float(np.linalg.norm(step)), 1e-12))


def boxed_step(jacobian: Array, error: Array, damping: float, lower: Array, upper: Array) -> Array:
    """Return the step ``(d,)`` in a box that brings a linear error ``(m,)`` near zero.

    Minimises |e + J s|^2 + (damping s_max)^2 |s|^2 (Levenberg-Marquardt), s_max the largest
    singular value.  Clipping the free minimum instead would lose what the other parameters can
    make up for.

    Args:
        jacobian: ``(m, d)`` change of the error with the step.
        error: ``(m,)`` before the step.
        damping: positive.
        lower: ``(d,)`` least step.
        upper: ``(d,)`` largest step.
    """
    from scipy.optimize import lsq_linear  # lazily: a third of a second

    free = damped_step(jacobian, error, damping)
    if np.all((lower <= free) & (free <= upper)):
        return free
    largest = float(np.linalg.norm(jacobian, 2))
    rows = np.vstack([jacobian, damping * largest * np.eye(len(free))])
    goal = np.concatenate([-error, np.zeros(len(free))])
    upper = np.maximum(upper, lower + 1e-12)
    return np.asarray(lsq_linear(rows, goal, (lower, upper), method="bvls").x)
