"""Tokens of the transformer: steps between executions of one physics sample, described by lengths.

Nothing changes if parameters or errors are permuted, mirrored or turned, and one network serves
any number of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.executions import Executions

ORIGINS = 20
"""Executions most like the best trial, from which steps are taken."""
TARGETS = 2
"""Steps from each: to those that end nearest to the goal."""
SMALL = 0.01
"""Scaled lengths below this are alike."""
SOFTENING = 0.006
"""Added to the squared distance of a token before its prior weight is taken."""
END_SHARE = 0.7
"""Share of the step's end in that distance; origin and its error have 1."""
MAX_SQUARED = 4.0
"""Largest squared distance between tokens that attention sees."""


@dataclass(frozen=True)
class StepTokens:
    """Steps around the best trial, in scaled coordinates; the last ``n`` lead to the run's trials.

    Attributes:
        away: ``(S, d)`` origin of the step, from the best trial.
        start: ``(S, m)`` error of the origin, minus that of the best trial.
        end: ``(S, m)`` error after the step; 0 is the goal.
        step: ``(S, d)``.
        group: ``(S,)`` physics sample, -1 = the run's.
        evidence: ``(S,)`` squared distance of the sample from the run's trials.
        best: ``(d,)`` theta of the best trial.
        base: index of the best trial among the run's.
        trials: ``n``.
    """

    away: Array
    start: Array
    end: Array
    step: Array
    group: Indices
    evidence: Array
    best: Array
    base: int
    trials: int

    @property
    def query(self) -> int:
        """Index of the token that stands for the best trial itself."""
        return len(self.away) - self.trials + self.base

    @property
    def own(self) -> Array:
        """``(S,)`` 1 for steps to the run's trials, else 0."""
        return np.asarray(self.group < 0, dtype=np.float64)


def tokens(done: Executions, errors: Array, trials: tuple[Array, Array], base: int) -> StepTokens:
    """Return the tokens of a run.

    Args:
        done: executions of the data set.
        errors: ``(N, m)`` their scaled errors to the run's goal.
        trials: scaled thetas ``(n, d)`` and errors ``(n, m)`` of the run.
        base: index of the best of them.
    """
    thetas, ends = trials
    best, left = thetas[base], ends[base]
    apart = _squared(done.points, thetas) + _squared(errors, ends)
    origins, targets = _steps(done, errors, apart[:, base])
    nearest = np.full((int(done.draw.max(initial=-1)) + 1, len(thetas)), np.inf)
    np.minimum.at(nearest, done.draw, apart)
    group = done.draw[origins]
    n = len(thetas)
    return StepTokens(
        np.concatenate([done.points[origins] - best, np.zeros_like(thetas)]),
        np.concatenate([errors[origins] - left, np.zeros_like(ends)]),
        np.concatenate([errors[targets], ends]),
        np.concatenate([done.points[targets] - done.points[origins], thetas - best]),
        np.concatenate([group, np.full(n, -1)]),
        np.concatenate([nearest[group].mean(axis=1), np.zeros(n)]),
        best,
        base,
        n,
    )


def _squared(a: Array, b: Array) -> Array:
    return np.asarray(np.sum((a[:, np.newaxis] - b) ** 2, axis=-1))


def _steps(done: Executions, errors: Array, away: Array) -> tuple[Indices, Indices]:
    """Return from which executions to which steps are taken, as indices ``(k,)`` each."""
    sizes = np.bincount(done.draw, minlength=1) if len(done.draw) else np.zeros(1, dtype=np.int64)
    order = np.argsort(away, kind="stable")
    order = order[sizes[done.draw[order]] > 1] if len(order) else order
    found: list[tuple[int, int]] = []
    for origin in order[:ORIGINS]:
        others = np.flatnonzero(done.draw == done.draw[origin])
        others = others[others != origin]
        steps = done.points[others] - done.points[origin]
        far = np.sum(errors[others] ** 2, axis=1) + 0.1 * np.sum(steps**2, axis=1)
        found += [(origin, j) for j in others[np.argsort(far, kind="stable")[:TARGETS]]]
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@dataclass(frozen=True)
class TokenFeatures:
    """Tokens as the network sees them.

    Attributes:
        features: ``(S, 22)``.
        between: ``(S, S, 5)`` squared distances of origin, its error, end and step; minus 1 for
            tokens of one physics sample.
        prior: ``(S,)`` log weights before training: the nearer the heavier.
    """

    features: Array
    between: Array
    prior: Array


def described(t: StepTokens) -> TokenFeatures:
    """Return the description of tokens."""
    s, d = t.step.shape
    left = t.end[t.query]
    lengths = (t.away, t.start, t.end, t.step, t.end - t.start - left, t.end + t.start)
    measured = np.stack([length(v) for v in lengths], axis=-1)
    cost = length(left)
    later = np.zeros(s)
    later[s - t.trials :] = np.arange(t.trials) / 8.0
    trivial = np.zeros(s)
    trivial[t.query] = 1.0
    same_for_all = (
        *((t.trials - 1 - t.base) / 4.0, t.trials / 8.0, d / 8.0),
        t.end.shape[1] / 3.0,
    )
    since, number, dim, errors = (np.full(s, value) for value in same_for_all)
    features = np.column_stack(
        [
            measured,
            np.log(measured + SMALL),
            np.log(t.evidence + SMALL**2),
            np.full(s, cost),
            np.full(s, np.log(cost + SMALL)),
            *(t.own, trivial, later, since, number, dim, errors),
        ]
    )
    same: NDArray[np.bool_] = t.group[:, np.newaxis] == t.group
    apart = [np.clip(_squared(v, v), 0.0, MAX_SQUARED) for v in (t.away, t.start, t.end, t.step)]
    between = np.stack([*apart, -same.astype(np.float64)], axis=-1)
    far = measured[:, 0] ** 2 + measured[:, 1] ** 2 + END_SHARE * measured[:, 2] ** 2
    return TokenFeatures(features, between, -2.0 * np.log(far + SOFTENING))


def length(values: Array) -> Array:
    """Return the norm of the last dimension."""
    return np.asarray(np.sqrt(np.sum(values**2, axis=-1) + 1e-12))
