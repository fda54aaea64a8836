"""Readers of one level of a description: refusals name file, key, value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, shown, unknown_key

ARM_FILE = FileKind(DescriptionError)


@dataclass(frozen=True)
class Quantity:
    """Physical quantity of a number, and the largest size that makes sense.

    Attributes:
        unit: of the number.
        largest: absolute value [unit]; beyond it the unit is surely another one.
        hint: remedy for a larger one.
        positive: True: must be above 0.
    """

    unit: str
    largest: float
    hint: str = ""
    positive: bool = False


ANGLE = Quantity("rad", 4 * math.pi, "angles are in rad, not in degrees")
LENGTH = Quantity("m", 10.0, "lengths are in m, not in mm")
RADIUS = Quantity("m", 1.0, "lengths are in m, not in mm", positive=True)
JOINT_SPEED = Quantity(
    "rad/s", 50.0, "speeds are in rad/s, not in degrees per second", positive=True
)
ACCELERATION = Quantity("rad/s^2", 1000.0, "in rad/s^2, not in degrees", positive=True)
TOOL_SPEED = Quantity("m/s", 50.0, "speeds are in m/s, not in mm/s", positive=True)
DECELERATION = Quantity("m/s^2", 1000.0, "in m/s^2", positive=True)
MASS = Quantity("kg", 1000.0, "masses are in kg, not in g", positive=True)
ENERGY = Quantity("J", 1e4, "energies are in J", positive=True)
STIFFNESS = Quantity("N m/rad", 1e6, positive=True)
DAMPING = Quantity("N m s/rad", 1e6, positive=True)
TORQUE = Quantity("N m", 1e5, positive=True)
DIRECTION = Quantity("1", 1.001, "an axis has length 1")


@dataclass(frozen=True)
class DescriptionBlock:
    """A mapping of a description with all its keys known.

    Attributes:
        where: file and keys above, for messages.
        content: the mapping.
    """

    where: str
    content: dict[str, Any]

    @classmethod
    def of(
        cls, where: str, value: Any, required: Sequence[str], optional: Sequence[str] = ()
    ) -> DescriptionBlock:
        """Return a mapping whose keys are all known and whose required keys are all there.

        Raises:
            DescriptionError: it is none, or a key is missing or unknown.
        """
        allowed = ", ".join([*required, *(f"[{key}]" for key in optional)])
        if not isinstance(value, dict):
            text = f"{where} is {shown(value)}: must be a mapping of {allowed}"
            raise DescriptionError(Refusal(text, Kind.FORM, value=value))
        known = (*required, *optional)
        if unknown := unknown_key(value, known):
            key, hint = unknown
            text = f"{where}: unknown key {shown(key)}: allowed are {allowed}{hint}"
            raise DescriptionError(Refusal(text, Kind.UNKNOWN_NAME, value=key, limit=known))
        for key in required:
            if key not in value:
                text = f"{where}: {key} is missing: needed are {allowed}"
                raise DescriptionError(Refusal(text, Kind.MISSING, key, field=key))
        return cls(where, value)

    def has(self, key: str) -> bool:
        """Return whether an optional key is there."""
        return key in self.content

    def fail(self, key: str, allowed: str) -> DescriptionError:
        """Return the refusal of a key's value; ``allowed`` continues "must be"."""
        value = self.content.get(key)
        text = f"{self.where}: {key} is {shown(value)}: must be {allowed}"
        return DescriptionError(Refusal(text, Kind.FORM, key, value=value, field=key))

    def text(self, key: str) -> str:
        """Return a text that is not empty and has one line.

        Raises:
            DescriptionError: it is something else.
        """
        value = self.content[key]
        if not isinstance(value, str) or not value.strip() or len(value.splitlines()) != 1:
            raise self.fail(key, "a text of one line")
        return value.strip()

    def items(self, key: str, least: int = 1, most: int = 100) -> list[Any]:
        """Return a list of ``least`` to ``most`` items.

        Raises:
            DescriptionError: it is something else.
        """
        value = self.content[key]
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise self.fail(key, f"a list of {least} to {most} items")
        return value

    def inner(
        self, key: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> DescriptionBlock:
        """Return a mapping inside this one; see :meth:`of`."""
        return DescriptionBlock.of(f"{self.where}: {key}", self.content[key], required, optional)

    def number(self, key: str, quantity: Quantity) -> float:
        """Return one finite number [unit of the quantity].

        Raises:
            DescriptionError: it is none, or not of that quantity.
        """
        return self._number(key, self.content[key], quantity)

    def numbers(self, key: str, count: int, quantity: Quantity) -> Array:
        """Return ``(count,)`` finite numbers [unit of the quantity]; read-only.

        Raises:
            DescriptionError: another length, or one is not of that quantity.
        """
        value = self.content[key]
        if not isinstance(value, list) or len(value) != count:
            raise self.fail(key, f"a list of {count} numbers [{quantity.unit}]")
        found = np.array(
            [self._number(f"{key}[{i}]", item, quantity) for i, item in enumerate(value)]
        )
        found.flags.writeable = False
        return found

    def _number(self, label: str, value: Any, quantity: Quantity) -> float:
        unit, most = quantity.unit, quantity.largest

        def refused(kind: Kind, allowed: str) -> DescriptionError:
            text = f"{self.where}: {label} is {shown(value)}: must be {allowed}"
            limit = (0.0 if quantity.positive else -most, most)
            return DescriptionError(Refusal(text, kind, label, "", value, limit, unit, label))

        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise refused(Kind.FORM, f"a number [{unit}], such as 0.5 or 1.0e-3")
        if not math.isfinite(value):
            raise refused(Kind.NOT_FINITE, f"a finite number [{unit}]")
        if quantity.positive and not value > 0:
            raise refused(Kind.OUT_OF_BOUNDS, f"above 0 {unit}")
        if abs(value) > most:
            hint = f" ({quantity.hint})" if quantity.hint else ""
            raise refused(Kind.OUT_OF_BOUNDS, f"at most {most:.4g} {unit}{hint}")
        return float(value)
