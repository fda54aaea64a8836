"""The model behind ``icpi serve``: completes a pattern of numbers, and knows nothing else.

Two ways, and the lines themselves decide which (the one that predicts left-out lines better, by
a robust score):

- *smooth*: a Gaussian process over the inputs, linear and squared exponential.  Lines of other
  systems differ from the query's by a deviation of their own, linear in the last group, which the
  lines of the query's own system share with it.
- *copying*: outputs lead from the first group to a place that many near lines agree on; the most
  popular place is taken.  Right where there are several solutions, which a mean would fall between.

The constants were chosen on training draws of the tasks.

Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006, sections 2.7 and 5.4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.llm.prompt.pattern import Pattern

BIAS, SLOPE, CURVE, LENGTH = 0.1, 1.0, 1.0, 0.7
"""Smooth: standard deviations of the constant, linear and curved parts, and the curve's scale."""
DEVIATION, REACH = 0.5, 1.0
"""Of other systems: standard deviation per unit of the last group, and scale over the first."""
NOISE, SHARE = 0.005, 0.1
"""Standard deviation of an output: constant part, and share of the output's length."""
SHARED_NOISE = 0.05
"""Standard deviation added for lines of other systems, constant part."""
POPULAR, SOFTENING, OWN_WEIGHT = 0.15, 0.01, 3.0
"""Copying: distance within which two places agree, softening of distances, weight of own lines."""
TOLERANCE = 0.03
"""Residual of a left-out line that counts as large, scaled."""
PRIOR = 0.5
"""Standard deviation of outputs where there is no line to learn from."""
JITTER = 1e-10
"""Share of the largest variance that keeps the covariance invertible, whatever the numbers."""


@dataclass(frozen=True)
class Guess:
    """A completed line.

    Attributes:
        mean: ``(q,)`` outputs, scaled.
        std: their standard deviation, scaled; the same for all.
    """

    mean: Array
    std: float


def complete(pattern: Pattern) -> Guess:
    """Return the outputs of a pattern's query; all 0 if there is no line to learn from."""
    lines = len(pattern.shared) + len(pattern.own)
    if lines == 0:
        return Guess(np.zeros(pattern.width), PRIOR)
    rows = _Rows.of(pattern)
    smooth, missed = _smooth(rows)
    if lines < 3 or len(pattern.query[0]) != pattern.width:
        return smooth
    copied, lost = _copying(rows)
    return smooth if rows.score(missed) <= rows.score(lost) else copied


@dataclass(frozen=True)
class _Rows:
    """Lines ``n`` and the query as matrices; ``own`` is 1 for the query's system, else 0."""

    first: Array
    last: Array
    inputs: Array
    outputs: Array
    own: Array
    asked_first: Array
    asked_last: Array
    asked: Array

    @classmethod
    def of(cls, pattern: Pattern) -> _Rows:
        both = (pattern.shared, pattern.own)
        return cls(
            np.concatenate([lines.inputs[0] for lines in both]),
            np.concatenate([lines.inputs[-1] for lines in both]),
            np.concatenate([lines.joined for lines in both]),
            np.concatenate([lines.outputs for lines in both]),
            np.repeat([0.0, 1.0], [len(lines) for lines in both]),
            pattern.query[0],
            pattern.query[-1],
            pattern.asked,
        )

    def score(self, missed: Array) -> float:
        """Return the robust score of predictions of lines, from squared residuals ``(n,)``."""
        weights = 1.0 + (OWN_WEIGHT - 1.0) * self.own
        return float(weights @ np.log1p(missed / TOLERANCE**2))


def _smooth(rows: _Rows) -> tuple[Guess, Array]:
    """Return the process's answer, and its squared residuals of left-out lines ``(n,)``."""
    own = rows.own
    apart = _deviation(rows.first, rows.last, rows.first, rows.last)
    alone = (1.0 - own) * (np.diag(apart) + SHARED_NOISE**2)
    noise = NOISE**2 + SHARE**2 * np.sum(rows.outputs**2, axis=1)
    among = _kernel(rows.inputs, rows.inputs) + np.outer(own, own) * apart
    jitter = JITTER * (np.diag(among) + alone).max()
    among[np.diag_indices_from(among)] += alone + noise + jitter
    asked, first, last = (a[np.newaxis] for a in (rows.asked, rows.asked_first, rows.asked_last))
    towards = _kernel(asked, rows.inputs)[0]
    towards = towards + own * _deviation(first, last, rows.first, rows.last)[0]
    inverse = np.linalg.inv(among)
    solved = inverse @ rows.outputs
    variance = _kernel(asked, asked)[0, 0] + _deviation(first, last, first, last)[0, 0]
    variance -= towards @ inverse @ towards
    missed = solved / np.diag(inverse)[:, np.newaxis]
    # How far left-out lines miss, in standard deviations, is how far this one may.
    strange = float(np.mean(solved**2 / np.diag(inverse)[:, np.newaxis]))
    std = float(np.sqrt(max(strange * variance, NOISE**2)))
    return Guess(np.asarray(towards @ solved), std), np.sum(missed**2, axis=1)


def _kernel(a: Array, b: Array) -> Array:
    """Return the covariance ``(n, k)`` of outputs at inputs ``(n, p)`` and ``(k, p)``."""
    linear = BIAS**2 + SLOPE**2 * (a @ b.T)
    return np.asarray(linear + CURVE**2 * np.exp(-0.5 * _squares(a, b) / LENGTH**2))


def _deviation(first_a: Array, last_a: Array, first_b: Array, last_b: Array) -> Array:
    """Return the covariance ``(n, k)`` of one system's deviation from what all share."""
    near = np.exp(-0.5 * _squares(first_a, first_b) / REACH**2)
    return np.asarray(DEVIATION**2 * (last_a @ last_b.T) * near)


def _copying(rows: _Rows) -> tuple[Guess, Array]:
    """Return the most popular place's answer, and squared residuals of left-out lines ``(n,)``."""
    places = rows.first + rows.outputs
    agree = np.exp(-0.5 * _squares(places, places) / POPULAR**2)
    trust = 1.0 + (OWN_WEIGHT - 1.0) * rows.own
    near = trust / (_squares(rows.inputs, rows.inputs) + SOFTENING**2)
    np.fill_diagonal(near, 0.0)
    missed = _popular(near, agree, places)[0] - places
    weights = trust / (_squares(rows.asked[np.newaxis], rows.inputs) + SOFTENING**2)
    place, std = _popular(weights, agree, places)
    guess = Guess(place[0] - rows.asked_first, max(float(std[0]), NOISE))
    return guess, np.sum(missed**2, axis=1)


def _popular(weights: Array, agree: Array, places: Array) -> tuple[Array, Array]:
    """Return the places ``(k, q)`` that weighted lines ``(k, n)`` agree on, and their std."""
    votes = (weights @ agree) * np.sqrt(weights)
    chosen = np.argmax(votes, axis=1)
    share = weights * agree[chosen]
    share = share / share.sum(axis=1, keepdims=True)
    mean = share @ places
    square = np.sum(share * _squares(mean, places), axis=1)
    return np.asarray(mean), np.sqrt(square / places.shape[1])


def _squares(a: Array, b: Array) -> Array:
    """Return squared distances ``(n, k)``; column by column, which takes less memory."""
    total = np.zeros((len(a), len(b)))
    for left, right in zip(a.T, b.T, strict=True):
        total += (left[:, np.newaxis] - right) ** 2
    return total
