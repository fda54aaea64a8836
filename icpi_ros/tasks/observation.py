"""Sensor model of simulation: noise and latency on the object's true path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, require_kind
from icpi_ros.core.types import Array, ObjectTrajectory

OBSERVE_STREAM = 0x0B5E
"""Last entropy word of the noise of a run's trial: ``default_rng([seed, number, this])``."""


@dataclass(frozen=True)
class Observation:
    """Errors of a simulated sensor.

    Attributes:
        noise: standard deviation of every coordinate of every sample, white [m].
        latency: age of a sample, not corrected in its stamp [s].
    """

    noise: float = 0.0
    latency: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible errors.

        Raises:
            InvalidValue: no number, negative, not finite, or more than 0.1 m or 1 s.
        """
        for name, value, most, unit in (
            ("noise", self.noise, 0.1, "m"),
            ("latency", self.latency, 1.0, "s"),
        ):
            require_kind(name, value, Real, f"a number from 0 to {most:g} {unit}")
            if not 0.0 <= value <= most:
                text = f"observation {name} = {value} {unit} is not allowed: 0 to {most:g} {unit}"
                limit = (0.0, most)
                raise InvalidValue(
                    Refusal(text, Kind.OUT_OF_BOUNDS, name, "", value, limit, unit, field=name)
                )

    def with_given(self, noise: float | None, latency: float | None) -> Observation:
        """Return the same with what is given in place; None = as it is.

        Raises:
            InvalidValue: see above.
        """
        asked = {"noise": noise, "latency": latency}
        return replace(self, **{name: v for name, v in asked.items() if v is not None})


PERFECT = Observation()


def observe(
    trajectory: ObjectTrajectory, observation: Observation, rng: np.random.Generator
) -> ObjectTrajectory:
    """Return the record of a true path by a sensor with ``observation``.

    A sample at time t shows the object where it was at t - latency (linear between true samples,
    before the first one: the first one).  Rest, too, is seen late, so the record is longer by the
    latency and its last sample shows the end of the true path.  Missing samples stay missing.

    Args:
        trajectory: the true path, at least one sample for a latency to act on.
        observation: noise and latency; a perfect one returns ``trajectory`` itself.
        rng: of the noise.
    """
    if observation == PERFECT or len(trajectory.times) == 0:
        return trajectory
    times, positions = _delayed(trajectory, observation.latency)
    noise = observation.noise * rng.standard_normal(positions.shape)
    return ObjectTrajectory(times, positions + noise)


def _delayed(trajectory: ObjectTrajectory, latency: float) -> tuple[Array, Array]:
    """Return times ``(T',)`` [s] and positions ``(T', 3)`` [m] seen ``latency`` [s] late."""
    times = trajectory.times
    if latency <= 0.0 or len(times) < 2:
        return times, trajectory.positions
    period = float(np.median(np.diff(times)))
    late = np.arange(1, int(np.ceil(latency / period - 1e-9)) + 1)
    times = np.concatenate([times, times[-1] + period * late])
    seen = np.clip(times - latency, trajectory.times[0], trajectory.times[-1])
    columns = [np.interp(seen, trajectory.times, column) for column in trajectory.positions.T]
    return times, np.stack(columns, axis=-1)
