"""Fixed-interval smoother for one trial's path: Rauch-Tung-Striebel with heavy-tailed noise.

Model per axis: constant velocity, disturbed by white acceleration (Bar-Shalom, Li, Kirubarajan,
"Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2).  An arm that
strikes a puck is not white noise: its disturbance is nothing for seconds, then a thousand times the
rest.  So every interval's disturbance and every measurement gets a scale of its own with a
Student-t prior, estimated by expectation maximisation around the smoother (Agamennoni, Nieto,
Nebot, "Approximate inference in state-space models with heavy-tailed noise", IEEE T. Signal
Processing 60(10), 2012).

Own code: FilterPy and its like have neither missing samples on irregular stamps nor these scales,
so a library would save twenty lines and cost a dependency.  Both axes share one 2 x 2 covariance,
because a measurement's error is taken to be the same in all directions; plain floats are then
faster than numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array


@dataclass(frozen=True)
class SmootherSettings:
    """Noise model of a path.

    Attributes:
        quiet: power density of the acceleration while nothing strikes [m^2/s^3].
        process_freedom: of the disturbance's Student-t; small number = rare, violent strikes.
        measurement_freedom: of the measurements' Student-t; small number = outliers are common.
        passes: of filter, smoother and scales.
        start_speed: standard deviation of the first velocity [m/s].
    """

    quiet: float = 0.01
    process_freedom: float = 1.0
    measurement_freedom: float = 4.0
    passes: int = 6
    start_speed: float = 3.0


@dataclass(frozen=True)
class SmoothedPath:
    """A smoothed path in the coordinates of a plane, at the stamps of its measurements.

    Attributes:
        times: ``(n,)`` [s], increasing.
        positions: ``(n, 2)`` [m].
        velocities: ``(n, 2)`` [m/s].
        covariances: ``(n, 2, 2)`` of position and velocity, the same for both axes.
        residual: root mean square distance of the measurements from the path [m].
    """

    times: Array
    positions: Array
    velocities: Array
    covariances: Array
    residual: float

    def at(self, times: Array) -> Array:
        """Return positions ``(m, 2)`` [m] at times ``(m,)`` between the first and last one.

        The mean of this model between two known states is the cubic through both.
        """
        last = len(self.times) - 1
        if last == 0:
            return np.repeat(self.positions, len(times), axis=0)
        i = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, last - 1)
        span = (self.times[i + 1] - self.times[i])[:, np.newaxis]
        s = np.clip((times - self.times[i])[:, np.newaxis] / span, 0.0, 1.0)
        ends = (1.0 + 2.0 * s) * (1.0 - s) ** 2, s * s * (3.0 - 2.0 * s)
        slopes = s * (1.0 - s) ** 2 * span, s * s * (s - 1.0) * span
        places = ends[0] * self.positions[i] + ends[1] * self.positions[i + 1]
        turns = slopes[0] * self.velocities[i] + slopes[1] * self.velocities[i + 1]
        return np.asarray(places + turns)


def smooth(
    times: Array, points: Array, stds: Array, settings: SmootherSettings | None = None
) -> SmoothedPath:
    """Return the path through measurements; no sample is added between them.

    Args:
        times: ``(n,)`` [s], increasing.
        points: ``(n, 2)`` measured positions on the plane [m], finite.
        stds: ``(n,)`` their standard deviations per axis [m], positive.
        settings: of the model.

    Raises:
        InvalidValue: no measurement, not finite, or times that do not increase.
    """
    settings = settings or SmootherSettings()
    _check(times, points, stds)
    spans = np.diff(times)
    noise = stds**2
    strikes, outliers = np.ones(len(spans)), np.ones(len(times))
    for last in range(settings.passes, 0, -1):
        path = _Pass(spans, points, noise * outliers, settings.quiet * strikes, settings)
        if last > 1:
            strikes = _strikes(path, spans, settings)
            outliers = _outliers(path, points, noise, settings)
    distance = np.sum((points - path.positions) ** 2, axis=1)
    residual = float(np.sqrt(distance.mean()))
    return SmoothedPath(times, path.positions, path.velocities, path.covariances, residual)


def _check(times: Array, points: Array, stds: Array) -> None:
    n = len(times)
    if n == 0 or points.shape != (n, 2) or stds.shape != (n,):
        raise InvalidValue(
            f"times {times.shape}, points {points.shape}, stds {stds.shape}: "
            "must be (n,), (n, 2), (n,) with n > 0"
        )
    if not (np.isfinite(times).all() and np.isfinite(points).all() and np.isfinite(stds).all()):
        raise InvalidValue("measurements to smooth must be finite")
    if not ((np.diff(times) > 0.0).all() and (stds > 0.0).all()):
        raise InvalidValue("times must increase and standard deviations be positive")


class _Pass:
    """One filter and smoother pass with given noise; arrays as in :class:`SmoothedPath`."""

    def __init__(
        self, spans: Array, points: Array, noise: Array, power: Array, settings: SmootherSettings
    ) -> None:
        self.power = power
        forward = _forward(spans, points, noise, power, settings.start_speed**2)
        means, self.covariances, self.across = _backward(*forward, spans.tolist())
        self.positions, self.velocities = means[:, :2], means[:, 2:]


Mean = tuple[float, float, float, float]
Covariance = tuple[float, float, float]
"""Variance of position, covariance, variance of velocity."""


def _forward(
    spans: Array, points: Array, noise: Array, power: Array, start: float
) -> tuple[list[Mean], list[Covariance], list[Mean], list[Covariance]]:
    """Return filtered and predicted means (x, y, vx, vy) and spreads."""
    (x, y), (a, b, c) = points[0].tolist(), (float(noise[0]), 0.0, start)
    u = v = 0.0
    means, spreads = [(x, y, u, v)], [(a, b, c)]
    ahead, ahead_spreads = [(x, y, u, v)], [(a, b, c)]
    steps = zip(
        spans.tolist(), points[1:].tolist(), noise[1:].tolist(), power.tolist(), strict=True
    )
    for dt, (zx, zy), r, q in steps:
        x, y = x + dt * u, y + dt * v
        a += dt * (2.0 * b + dt * c) + q * dt**3 / 3.0
        b += dt * c + 0.5 * q * dt * dt
        c += q * dt
        ahead.append((x, y, u, v))
        ahead_spreads.append((a, b, c))
        gain, turn = a / (a + r), b / (a + r)
        ex, ey = zx - x, zy - y
        x, y, u, v = x + gain * ex, y + gain * ey, u + turn * ex, v + turn * ey
        a, b, c = a * r / (a + r), b * r / (a + r), c - turn * b
        means.append((x, y, u, v))
        spreads.append((a, b, c))
    return means, spreads, ahead, ahead_spreads


def _backward(
    means: list[Mean],
    spreads: list[Covariance],
    ahead: list[Mean],
    ahead_spreads: list[Covariance],
    spans: list[float],
) -> tuple[Array, Array, Array]:
    """Return smoothed means ``(n, 4)``, covariances ``(n, 2, 2)``, covariances to the next one."""
    n = len(means)
    mean, (a, b, c) = means[-1], spreads[-1]
    smooth_means, smooth_spreads, across = [mean], [(a, b, c)], []
    for k in range(n - 2, -1, -1):
        dt, (fa, fb, fc), (pa, pb, pc) = spans[k], spreads[k], ahead_spreads[k + 1]
        # Gain G = P F' / P_ahead, two by two.
        m00, m01, m10, m11 = fa + dt * fb, fb, fb + dt * fc, fc
        scale = 1.0 / (pa * pc - pb * pb)
        g00, g01 = (m00 * pc - m01 * pb) * scale, (m01 * pa - m00 * pb) * scale
        g10, g11 = (m10 * pc - m11 * pb) * scale, (m11 * pa - m10 * pb) * scale
        x, y, u, v = means[k]
        ex, ey, eu, ev = (now - then for now, then in zip(mean, ahead[k + 1], strict=True))
        x, y = x + g00 * ex + g01 * eu, y + g00 * ey + g01 * ev
        mean = (x, y, u + g10 * ex + g11 * eu, v + g10 * ey + g11 * ev)
        across.append((g00 * a + g01 * b, g00 * b + g01 * c, g10 * a + g11 * b, g10 * b + g11 * c))
        da, db, dc = a - pa, b - pb, c - pc
        h00, h01 = g00 * da + g01 * db, g00 * db + g01 * dc
        h10, h11 = g10 * da + g11 * db, g10 * db + g11 * dc
        a, b, c = fa + h00 * g00 + h01 * g01, fb + h00 * g10 + h01 * g11, fc + h10 * g10 + h11 * g11
        smooth_means.append(mean)
        smooth_spreads.append((a, b, c))
    spread = np.array(smooth_spreads[::-1])
    covariances = spread[:, [0, 1, 1, 2]].reshape(n, 2, 2)
    return np.array(smooth_means[::-1]), covariances, np.array(across[::-1]).reshape(-1, 2, 2)


def _strikes(path: _Pass, spans: Array, settings: SmootherSettings) -> Array:
    """Return how many times the quiet disturbance each interval ``(n - 1,)`` has seen."""
    dt = spans[:, np.newaxis]
    jump = path.positions[1:] - path.positions[:-1] - dt * path.velocities[:-1]
    kick = path.velocities[1:] - path.velocities[:-1]
    step = np.zeros((len(spans), 2, 2))
    step[:, 0, 0] = step[:, 1, 1] = 1.0
    step[:, 0, 1] = spans
    moved = step @ path.across
    spread = path.covariances[1:] - moved - moved.transpose(0, 2, 1)
    spread += step @ path.covariances[:-1] @ step.transpose(0, 2, 1)
    square = np.empty_like(spread)
    square[:, 0, 0] = (jump**2).sum(axis=1) + 2.0 * spread[:, 0, 0]
    square[:, 0, 1] = (jump * kick).sum(axis=1) + 2.0 * spread[:, 0, 1]
    square[:, 1, 1] = (kick**2).sum(axis=1) + 2.0 * spread[:, 1, 1]
    # Inverse of q [[dt^3/3, dt^2/2], [dt^2/2, dt]], times the square, traced.
    expected = 12.0 / spans**3 * square[:, 0, 0] - 12.0 / spans**2 * square[:, 0, 1]
    expected += 4.0 / spans * square[:, 1, 1]
    freedom = settings.process_freedom
    return np.asarray((freedom + expected / settings.quiet) / (freedom + 4.0))


def _outliers(path: _Pass, points: Array, noise: Array, settings: SmootherSettings) -> Array:
    """Return by how much the variance of each measurement ``(n,)`` is to be raised."""
    off = ((points - path.positions) ** 2).sum(axis=1) + 2.0 * path.covariances[:, 0, 0]
    freedom = settings.measurement_freedom
    return np.asarray(np.maximum(1.0, (freedom + off / noise) / (freedom + 2.0)))
