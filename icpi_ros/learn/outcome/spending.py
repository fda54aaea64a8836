"""Value of what a run spends: the gain of a further trial, of a repeat, and the answer so far.

The answer of a run is the executed theta of lowest expected cost under the belief, which under
noise is not the one that looked best (the winner's curse).  What a further trial is worth is how
much lower that expected cost will be after it, on average over what the trial may show: the
knowledge gradient of Frazier, Powell and Dayanik (2009), over the executed thetas and the new one.
A repeat is worth something where noise hides which of them is best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.types import EXPECTED_GAIN, REPEAT, TRIAL_NOISE, Array
from icpi_ros.learn.outcome.belief import OutcomeBelief

MAX_RIVALS = 4
"""Executed thetas of lowest expected cost that compete for being the answer, and for a repeat."""
NOISY = 2.0
"""Times the usual noise above which a run counts as noisy: only then is what trials looked like
worth less than what the belief makes of them."""
SAME = 1e-9
"""Scaled distance below which two executed thetas are one."""


@dataclass(frozen=True)
class TrialValue:
    """Value of a further trial.

    Attributes:
        gain: expected decrease of the answer's cost by a trial of the new theta [m].
        repeat_gain: the same by a repeat of an executed theta, the best one for it [m]; 0 where
            no noise was found.
        repeated: index of that one among the executed thetas.
        noise: standard deviation of what one theta gives from trial to trial [m].
    """

    gain: float
    repeat_gain: float
    repeated: int
    noise: float

    @property
    def repeat_tells_more(self) -> bool:
        """True if a repeat is worth more than the new theta."""
        return self.repeat_gain > self.gain

    def details(self, repeat: bool) -> dict[str, Any]:
        """Return what a proposal says of it, which is a repeat or the new theta [m]."""
        gain = self.repeat_gain if repeat else self.gain
        found = {EXPECTED_GAIN: round(gain, 6), TRIAL_NOISE: round(self.noise, 6)}
        return found | ({REPEAT: True} if repeat else {})


def trial_value(belief: OutcomeBelief, tried: Array, new: Array, draws: Array) -> TrialValue:
    """Return the value of a further trial.

    Args:
        belief: about the run.
        tried: ``(n, d)`` scaled thetas of its trials.
        new: ``(d,)`` scaled theta that is proposed.
        draws: ``(s, m)`` standard normal samples that expectations are taken over.
    """
    rivals = _rivals(belief, tried, draws)
    points = np.concatenate([tried[rivals], new[np.newaxis]])
    gains = _gains(belief, points, draws)
    best = int(np.argmax(gains[:-1]))
    repeat_gain = float(gains[best]) if _noisy(belief) else 0.0
    return TrialValue(float(gains[-1]), repeat_gain, rivals[best], trial_noise(belief))


def _noisy(belief: OutcomeBelief) -> bool:
    return belief.noise > NOISY * belief.usual_noise


def expected_costs(belief: OutcomeBelief, points: Array, draws: Array) -> Array:
    """Return the expected costs ``(n,)`` [m] of scaled thetas ``(n, d)``, noise left out."""
    mean, variance = belief.predict(points)
    return _expected(mean, np.sqrt(variance), belief.unit, draws)


def _rivals(belief: OutcomeBelief, tried: Array, draws: Array) -> list[int]:
    """Return the indices of the best executed thetas, each once."""
    found: list[int] = []
    for index in np.argsort(expected_costs(belief, tried, draws), kind="stable").tolist():
        apart = np.abs(tried[found] - tried[index]).max(axis=1) if found else np.ones(1)
        if apart.min() > SAME:
            found.append(index)
    return found[:MAX_RIVALS]


def _gains(belief: OutcomeBelief, points: Array, draws: Array) -> Array:
    """Return the expected decrease ``(n,)`` [m] of the answer's cost by a trial at each point."""
    mean, covariance = belief.joint(points)
    n, m = mean.shape
    variance = np.maximum(np.diag(covariance), 0.0)
    now = _expected(mean, np.sqrt(variance).reshape(n, m), belief.unit, draws)
    answer = int(np.argmin(now[:-1]))  # the last one is not executed
    gains = np.empty(n)
    for point in range(n):
        rows = slice(point * m, (point + 1) * m)
        shown = covariance[rows, rows] + belief.noise**2 * np.eye(m)
        told = np.linalg.solve(np.linalg.cholesky(shown), covariance[rows]).T
        left = np.sqrt(np.maximum(variance - np.sum(told**2, axis=1), 0.0)).reshape(n, m)
        shifted = mean + (draws @ told.T).reshape(-1, n, m)
        after = _expected(shifted, left, belief.unit, draws)
        executed = n if point == n - 1 else n - 1
        gains[point] = float(np.mean(after[:, answer] - after[:, :executed].min(axis=1)))
    return gains


def _expected(mean: Array, std: Array, unit: Array, draws: Array) -> Array:
    """Return the expected costs ``(..., n)`` of errors with mean ``(..., n, m)``."""
    errors = mean[..., np.newaxis, :] + std[:, np.newaxis] * draws
    return np.asarray(np.linalg.norm(errors * unit, axis=-1).mean(axis=-1))


def answer(
    belief: OutcomeBelief, tried: Array, seen: Array, draws: Array
) -> tuple[int, float, float]:
    """Return the index of the answer, its expected cost [m] and the noise of a trial [m].

    Args:
        belief: about the run.
        tried: ``(n, d)`` scaled thetas of its trials.
        seen: ``(n,)`` their costs [m], which decide where no noise was found.
        draws: see :func:`trial_value`.
    """
    costs = expected_costs(belief, tried, draws)
    index = int(np.argmin(costs if _noisy(belief) else seen))
    return index, float(costs[index]), trial_noise(belief)


def trial_noise(belief: OutcomeBelief) -> float:
    """Return the standard deviation of what a theta gives from trial to trial [m]."""
    return belief.scatter * float(np.linalg.norm(belief.unit))
