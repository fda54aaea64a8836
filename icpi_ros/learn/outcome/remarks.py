"""Remarks on a run's trials: parameters that change nothing, noise above the error that is left.

Both compare likelihoods of the run's own model (:mod:`.run_model`), so they say nothing as long as
the trials leave it open.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.learn.outcome.run_model import (
    LENGTH,
    Kernel,
    RunBelief,
    RunRows,
    covariance,
    fit_kernel,
)

MIN_TRIALS = 3
"""Trials beyond the number of parameters before anything is said."""
MAX_GAP = 0.8
"""Widest stretch of a parameter's range, scaled to [-1, 1], that may lie between its trials."""
USUAL_LENGTH = float(np.exp(LENGTH[0]))
"""Length scale that is expected of a parameter; one that changes nothing has a longer one."""
EFFECT_EVIDENCE = 6.0
NOISE_EVIDENCE = 4.0
"""Least logarithms of the likelihood ratios, 400 to 1 and 55 to 1.  The first one is that high
because a live parameter has had 5 by chance, for a trial or two."""

MAX_FITS = 2
"""Parameters that are looked at, those of the longest length scales: a fit takes milliseconds."""
PLAIN_EFFECT = -20.0
"""Logarithm of the likelihood ratio per trial, without a new fit, below which no fit is tried."""


def without_effect(belief: RunBelief) -> list[int]:
    """Return the indices of the parameters that changed nothing in the run's trials so far.

    Such a parameter was tried over its range, and the errors are far more likely if the model
    leaves it out.  None where that holds of all: the trials may lie in a flat region.
    """
    rows, kernel = belief.rows, belief.kernel
    if not _enough(rows):
        return []
    thetas = rows.inputs[-rows.trials :, : rows.theta_dim]
    usual = log_likelihood(rows, kernel)
    found = []
    longest = np.argsort(-kernel.length[: rows.theta_dim], kind="stable")[:MAX_FITS]
    for index in sorted(longest.tolist()):
        if kernel.length[index] < USUAL_LENGTH or _widest_gap(thetas[:, index]) > MAX_GAP:
            continue
        left_out = _without(rows, index)
        if log_likelihood(left_out, kernel) - usual < PLAIN_EFFECT * rows.trials:
            continue
        if log_likelihood(left_out, fit_kernel(left_out, [0.0])) - usual >= EFFECT_EVIDENCE:
            found.append(index)
    return found if len(found) < rows.theta_dim else []


def noise_above(belief: RunBelief, cost: float) -> float | None:
    """Return the deviation of a trial [m] that no parameter explains, if above ``cost`` [m].

    None if it is not, or if the errors are nearly as likely with one as small as ``cost``.
    """
    deviation = belief.noise * float(np.linalg.norm(belief.unit))
    if deviation <= cost or not _enough(belief.rows):
        return None
    smaller = replace(belief.kernel, noise=belief.noise * cost / deviation)
    gain = log_likelihood(belief.rows, belief.kernel) - log_likelihood(belief.rows, smaller)
    return deviation if gain >= NOISE_EVIDENCE else None


def log_likelihood(rows: RunRows, kernel: Kernel) -> float:
    """Return the logarithm of the likelihood of the errors, without its constant."""
    factor = np.linalg.cholesky(covariance(rows, kernel))
    white = np.linalg.solve(factor, rows.errors)
    size: float = rows.errors.shape[1] * float(np.log(np.diag(factor)).sum())
    return -0.5 * float(np.vdot(white, white)) - size


def _enough(rows: RunRows) -> bool:
    return rows.trials >= rows.theta_dim + MIN_TRIALS


def _without(rows: RunRows, index: int) -> RunRows:
    inputs = rows.inputs.copy()
    inputs[:, index] = 0.0
    return replace(rows, inputs=inputs)


def _widest_gap(values: Array) -> float:
    return float(np.diff(np.sort([-1.0, *values, 1.0])).max())
