"""The Kalman filter's state between two measurements.

Constant velocity with white acceleration (Bar-Shalom et al., 2001, section 6.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.perception.detection import Detection
from icpi_ros.types import SECOND, Array


@dataclass(frozen=True)
class Seen:
    """A detection on the plane: ``point`` ``(2,)`` [m], ``covariance`` ``(2, 2)`` [m^2]."""

    detection: Detection
    point: Array
    covariance: Array


@dataclass(frozen=True)
class Track:
    """Filter state ``(4,)`` and covariance ``(4, 4)`` at ``stamp`` [ns], the last measurement."""

    state: Array
    covariance: Array
    stamp: int
    metres_per_pixel: float

    def at(self, stamp: int, power: float) -> tuple[Array, Array]:
        """Return the prediction for ``stamp``."""
        dt = (stamp - self.stamp) / SECOND
        step = np.array([[1.0, 0.0, dt, 0.0], [0.0, 1.0, 0.0, dt], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
        near, far = 0.5 * power * dt * dt, power * dt**3 / 3.0
        fast = power * dt
        noise = np.array(
            [[far, 0.0, near, 0.0], [0.0, far, 0.0, near], [near, 0, fast, 0], [0, near, 0, fast]]
        )
        return step @ self.state, step @ self.covariance @ step.T + noise


def inverse(m: Array) -> Array:
    """Return the inverse of a ``(2, 2)``; three times as fast as numpy's."""
    (a, b), (c, d) = m.tolist()
    scale = 1.0 / (a * d - b * c)
    return np.array([[d * scale, -b * scale], [-c * scale, a * scale]])
