"""Map of the outcome model's residual: where over theta and goal it errs more, and where less.

A rope's closest approach jumps from one pass of its tip to another, a hit turns into a miss: one
standard deviation for the whole box is too small there and too large elsewhere, and a search that
believes it is drawn to where the model is worst.  The map is a kernel average of the misses of
physics samples that were left out; how local it is, or whether it is one number, is what makes
the misses of the other samples most likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Indices

WIDTHS = (0.15, 0.25, 0.4, 0.6, 1.0)
"""Widths of the kernel that are tried, scaled theta and goals in standard deviations."""
PRIOR_ROWS = 1.0
"""Weight of the mean over all rows, in rows."""
MIN_GAIN = 0.02
"""Least gain of the log-likelihood per row, below which the map is one number: chance alone."""


@dataclass(frozen=True)
class ResidualMap:
    """Factor on the model's residual at inputs; its mean square over the rows is about 1.

    Attributes:
        centres: ``(N, x)`` inputs of the rows; of none, the factor is 1 everywhere.
        sizes: ``(N,)`` their misses, in units of the residual.
        width: of the kernel.
        mean: of the sizes, before anything is known of a place.
        unit: factor that makes the mean square 1.
    """

    centres: Array
    sizes: Array
    width: float = 1.0
    mean: float = 1.0
    unit: float = 1.0

    @classmethod
    def flat(cls) -> ResidualMap:
        """Return the map that is 1 everywhere."""
        return cls(np.zeros((0, 0)), np.zeros(0))

    @classmethod
    def of(cls, inputs: Array, misses: Array, group: Indices) -> ResidualMap:
        """Return the most likely map.

        Args:
            inputs: ``(N, x)`` of the rows.
            misses: ``(N, m)`` of the model that has not seen a row's sample.
            group: ``(N,)`` number of the row's physics sample.
        """
        squares = np.maximum(np.mean(misses**2, axis=1), 1e-18)
        squares /= squares.mean()
        sizes, apart = np.sqrt(squares), group[:, np.newaxis] != group
        gaps = np.sum((inputs[:, np.newaxis] - inputs) ** 2, axis=2)
        best, found = MIN_GAIN - 1.0, cls.flat()
        for width in WIDTHS:
            near = np.exp(-0.5 * gaps / width**2) * apart
            size = _average(near, sizes, float(sizes.mean()))
            unit = float(np.sqrt(np.mean(squares / size**2)))
            likely = -2.0 * float(np.mean(np.log(unit * size))) - 1.0
            if likely > best:
                best = likely
                found = cls(inputs, sizes, width, float(sizes.mean()), unit)
        return found

    def __call__(self, inputs: Array) -> Array:
        """Return the factor ``(n,)`` at inputs ``(n, x)``."""
        if not len(self.sizes):
            return np.ones(len(inputs))
        at, centres = inputs / self.width, self.centres / self.width
        squares = np.sum(at**2, axis=1)[:, np.newaxis] + np.sum(centres**2, axis=1)
        near = np.exp(np.minimum(at @ centres.T - 0.5 * squares, 0.0))
        return self.unit * _average(near, self.sizes, self.mean)


def _average(near: Array, sizes: Array, mean: float) -> Array:
    return np.asarray((near @ sizes + PRIOR_ROWS * mean) / (near.sum(axis=1) + PRIOR_ROWS))
