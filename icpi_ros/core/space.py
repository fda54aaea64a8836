"""Boxes of named, unit-carrying parameters: policy parameters theta, goals, hidden physics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icpi_ros.core.errors import InvalidValue, Kind, Refusal

Vector = NDArray[np.float64]
EDGE_SHARE = 0.01
"""A parameter nearer to a bound than this share of its range is at the edge."""
TEXTS = "SU"
"""Kinds of arrays that hold texts."""


@dataclass(frozen=True)
class Parameter:
    """One bounded quantity: its ``name``, ``unit`` (SI), closed range and meaning."""

    name: str
    unit: str
    lower: float
    upper: float
    description: str = ""

    @property
    def shown_unit(self) -> str:
        """Unit as people are shown it: nothing where it is 1."""
        return "" if self.unit == "1" else self.unit

    @property
    def heading(self) -> str:
        """Name with the unit in brackets, such as ``speed [m/s]``."""
        return f"{self.name} [{self.unit}]" if self.shown_unit else self.name

    def text(self, value: float, digits: int = 4) -> str:
        """Return a value with its unit, such as ``1.02 m/s``."""
        return f"{value:.{digits}g} {self.shown_unit}".rstrip()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.lower) and np.isfinite(self.upper)):
            text = f"bounds of {self.name} are not finite: {self.lower}, {self.upper}"
            raise InvalidValue(Refusal(text, Kind.NOT_FINITE, "bounds", field=self.name))
        if self.lower > self.upper:
            text = f"bounds of {self.name} are reversed: {self.lower} > {self.upper}"
            raise InvalidValue(Refusal(text, Kind.OUT_OF_BOUNDS, "bounds", field=self.name))


@dataclass(frozen=True)
class ParameterSpace:
    """An axis-aligned box of ``d`` named parameters.

    Vectors are ``(d,)`` float64 in the parameters' own units; batches are ``(..., d)``.
    """

    parameters: tuple[Parameter, ...]
    label: str = "theta"

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each parameter."""
        return tuple(p.unit for p in self.parameters)

    @property
    def lower(self) -> Vector:
        """Lower bounds ``(d,)``."""
        return self._lower.copy()

    @property
    def upper(self) -> Vector:
        """Upper bounds ``(d,)``."""
        return self._upper.copy()

    @property
    def dim(self) -> int:
        """Number of parameters ``d``."""
        return len(self.parameters)

    def validate(self, values: ArrayLike | Sequence[Any]) -> Vector:
        """Return ``values`` as a ``(d,)`` float64 vector inside the box.

        Raises:
            InvalidValue: wrong length, not a number, NaN or infinite, or out of bounds; the
                message names the parameter, the value and the allowed range.
        """
        vector = self.as_vector(values)
        if outside := self.outside(vector):
            raise InvalidValue(outside[0])
        return vector

    def outside(self, vector: Vector) -> list[Refusal]:
        """Return a refusal for each parameter of a ``(d,)`` vector that is out of bounds."""
        return [
            self._outside(p, float(value))
            for p, value in zip(self.parameters, vector, strict=True)
            if not p.lower <= value <= p.upper
        ]

    def _outside(self, p: Parameter, value: float) -> Refusal:
        text = (
            f"{self.label} {p.name} = {p.text(value, 6)} is out of bounds: "
            f"allowed {p.lower:g} to {p.text(p.upper, 6)}"
        )
        limit = (p.lower, p.upper)
        return Refusal(text, Kind.OUT_OF_BOUNDS, self.label, "", value, limit, p.unit, p.name)

    def at_edge(self, vector: Vector) -> list[tuple[int, bool]]:
        """Return the parameters that are at a bound, by index; True = at the upper one."""
        near = EDGE_SHARE * (self._upper - self._lower)
        low, high = vector <= self._lower + near, vector >= self._upper - near
        varies = self._upper > self._lower
        return [(int(i), bool(high[i])) for i in np.flatnonzero((low | high) & varies)]

    def as_vector(self, values: ArrayLike | Sequence[Any]) -> Vector:
        """Return ``values`` as a finite ``(d,)`` float64 vector, bounds not checked.

        Raises:
            InvalidValue: wrong length, not a number, NaN or infinite.
        """
        try:
            if np.asarray(values).dtype.kind in TEXTS:  # numpy would read "1.5" as a number
                raise ValueError
            vector = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            text = f"{self.label} is not a list of numbers: {values!r}"
            raise InvalidValue(Refusal(text, Kind.FORM, self.label, value=values)) from None
        if vector.shape != (self.dim,):
            text = (
                f"{self.label} needs {self.dim} values ({', '.join(self.names)}), "
                f"got {vector.size if vector.ndim == 1 else f'an array of shape {vector.shape}'}"
            )
            raise InvalidValue(Refusal(text, Kind.FORM, self.label, value=values, limit=self.names))
        for name, value in zip(self.names, vector, strict=True):
            if not np.isfinite(value):
                text = f"{self.label} {name} = {value} is not a finite number"
                raise InvalidValue(
                    Refusal(text, Kind.NOT_FINITE, self.label, value=float(value), field=name)
                )
        return vector

    def contains(self, vector: Vector) -> bool:
        """Return whether a ``(d,)`` vector is finite and inside the box (borders included)."""
        return bool(np.all((vector >= self._lower) & (vector <= self._upper)))

    def project(self, vector: Vector) -> tuple[Vector, bool]:
        """Return the nearest vector inside the box and whether it differs from ``vector``."""
        inside = self.nearest(vector)
        return inside, not np.array_equal(inside, vector)

    def nearest(self, vector: Vector) -> Vector:
        """Return the nearest vector inside the box."""
        return np.clip(vector, self._lower, self._upper)

    def normalise(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map ``(..., d)`` values from the box to ``[-1, 1]``."""
        return (values - self._centre) / self._half_range

    def denormalise(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(..., d)`` values of scaled ones, the inverse of :meth:`normalise`."""
        return scaled * self._half_range + self._centre

    def sample(self, rng: np.random.Generator, size: int | None = None) -> NDArray[np.float64]:
        """Sample uniformly from the box: ``(d,)``, or ``(size, d)``."""
        shape = self.dim if size is None else (size, self.dim)
        return rng.uniform(self._lower, self._upper, shape)

    def describe(self, vector: Vector) -> str:
        """One line such as ``speed=1.02 m/s heading=-0.13 rad``."""
        pairs = zip(self.parameters, vector, strict=True)
        return " ".join(f"{p.name}={p.text(v, 3)}" for p, v in pairs)

    @property
    def half_range(self) -> Vector:
        """Half of each range ``(d,)``; 1 for a parameter that is fixed."""
        return self._half_range.copy()

    # Made once: every trial asks for them dozens of times.

    @cached_property
    def _lower(self) -> Vector:
        return np.array([p.lower for p in self.parameters], dtype=np.float64)

    @cached_property
    def _upper(self) -> Vector:
        return np.array([p.upper for p in self.parameters], dtype=np.float64)

    @cached_property
    def _centre(self) -> Vector:
        return 0.5 * (self._lower + self._upper)

    @cached_property
    def _half_range(self) -> Vector:
        half = 0.5 * (self._upper - self._lower)
        return np.where(half > 0.0, half, 1.0)
