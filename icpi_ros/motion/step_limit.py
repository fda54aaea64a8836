"""Limit on the step of theta in a run: never far from a theta executed before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array

ROUNDING = 1e-9
"""A step longer than allowed by this share of the range is not: what rounding leaves."""


@dataclass(frozen=True)
class StepLimit:
    """Limit on |dtheta|, in shares of each parameter's range.

    A theta is allowed if no parameter differs from some theta executed before in the same run
    by more than ``max_step`` of its range; the first theta of a run is always allowed.

    Attributes:
        space: of theta.
        max_step: share of each parameter's range, above 0 and at most 1; at 1 all is allowed.
    """

    space: ParameterSpace
    max_step: float

    def __post_init__(self) -> None:
        """Refuse a limit that limits nothing or everything.

        Raises:
            InvalidValue: ``max_step`` is not in (0, 1].
        """
        if not 0.0 < self.max_step <= 1.0:
            text = f"max_step = {self.max_step} is not allowed: above 0, at most 1"
            field, value, limit = "max_step", self.max_step, (0.0, 1.0)
            raise InvalidValue(
                Refusal(text, Kind.OUT_OF_BOUNDS, field, value=value, limit=limit, field=field)
            )

    def refuse(self, theta: Array, executed: Sequence[Array]) -> Refusal | None:
        """Return the refusal of a theta ``(d,)`` that may not be executed, None if it may.

        Args:
            theta: in the space's units.
            executed: thetas executed before in this run, in any order.

        Raises:
            InvalidValue: theta or an executed one has the wrong length or is not finite.
        """
        theta = self.space.as_vector(theta)
        nearest = self._nearest(theta, executed)
        if nearest is None:
            return None
        steps = np.abs(theta - nearest) / self._range
        i = int(np.argmax(steps))
        if steps[i] <= self.max_step + ROUNDING:
            return None
        parameter, reach = self.space.parameters[i], self.max_step * self._range[i]
        name, unit, value = parameter.name, parameter.unit, float(theta[i])
        limit = (float(nearest[i] - reach), float(nearest[i] + reach))
        text = (
            f"{name} = {parameter.text(value, 6)} is too far from what this run has executed: "
            f"allowed {limit[0]:.6g} to {parameter.text(limit[1], 6)} "
            f"(max_step {self.max_step:g} of its range)"
        )
        return Refusal(text, Kind.STEP, name, "", value, limit, unit, field=name)

    def allowed(self, theta: Array, executed: Sequence[Array]) -> tuple[Array, Array] | None:
        """Return the bounds around the executed theta that is nearest, None if no step is limited.

        A theta outside of them may still be near enough to another executed one.

        Args:
            theta: ``(d,)`` in the space's units.
            executed: thetas executed before in this run.

        Raises:
            InvalidValue: as :meth:`refuse`.
        """
        nearest = self._nearest(self.space.as_vector(theta), executed)
        if nearest is None or self.max_step >= 1.0:
            return None
        reach = self.max_step * self._range
        low, high = self.space.lower, self.space.upper
        return np.maximum(low, nearest - reach), np.minimum(high, nearest + reach)

    def nearest_allowed(self, theta: Array, executed: Sequence[Array]) -> Array:
        """Return theta, moved straight towards the nearest executed one until it is allowed.

        Args:
            theta: ``(d,)`` in the space's units.
            executed: thetas executed before in this run.

        Raises:
            InvalidValue: as :meth:`refuse`.
        """
        theta = self.space.as_vector(theta)
        nearest = self._nearest(theta, executed)
        if nearest is None or self.refuse(theta, executed) is None:
            return theta
        share = self.max_step / float(np.max(np.abs(theta - nearest) / self._range))
        moved = nearest + share * (theta - nearest)
        return np.clip(moved, np.minimum(theta, nearest), np.maximum(theta, nearest))

    def _nearest(self, theta: Array, executed: Sequence[Array]) -> Array | None:
        if len(executed) == 0:
            return None
        rows = np.stack([self.space.as_vector(row) for row in executed])
        return np.asarray(rows[np.argmin((np.abs(rows - theta) / self._range).max(axis=1))])

    @property
    def _range(self) -> Array:
        return 2.0 * self.space.half_range
