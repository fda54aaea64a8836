"""One setting: type, range, unit, defaults, and the check that holds wherever it is given."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from icpi_ros.core.errors import Kind, invalid

Made = TypeVar("Made")
LARGE = 1e9
"""Limits from here on are not shown."""
TRUTH = ("true", "false")
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "numbers with commas between",
}


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting.

    Attributes:
        name: of the ROS parameter, of the launch argument and, with dashes, of the option.
        default: of a node alone and of the graph around a real arm; its type is the setting's (a
            list means numbers).
        description: purpose of it.
        unit: SI unit; empty = none.
        lower, upper: closed range of a number.
        choices: allowed texts; empty = any.
        nodes: that have it as a parameter.
        graphs: that have it as a launch argument.
        relaxed: default in simulation, in a replay and in process; None = the same.
        loosened_by: values that loosen a protection: ``larger`` or ``smaller`` numbers, or any
            ``other`` than the default; None = it is no protection.
        run: field of RunConfig that it is; None = none.
        read_only: the parameter is fixed when the node starts.
    """

    name: str
    default: Any
    description: str
    unit: str = ""
    lower: float = -math.inf
    upper: float = math.inf
    choices: Collection[str] = ()
    nodes: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()
    relaxed: Any = None
    loosened_by: str | None = None
    run: str | None = None
    read_only: bool = True

    @property
    def usual(self) -> Any:
        """Default where no person stands beside an arm."""
        return self.default if self.relaxed is None else self.relaxed

    @property
    def span(self) -> str:
        """Range of a number in words; empty = any."""
        if math.isfinite(self.upper):
            return f"{_shown(self.lower)} to {_shown(self.upper)}"
        return f"at least {_shown(self.lower)}" if math.isfinite(self.lower) else ""

    @property
    def help(self) -> str:
        """Description with unit and range behind its first clause."""
        unit = f" [{self.unit}]" if self.unit not in ("", self.name) else ""
        span = f" ({self.span})" if self.upper < LARGE else ""
        what, separator, more = self.description.partition("; ")
        return f"{what}{unit}{span}{separator}{more}"

    @property
    def allowed(self) -> str:
        """Allowed values, for error messages."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return self.ranged(_KINDS[type(self.default)])

    def ranged(self, kind: str) -> str:
        """Return the name of a kind of values with the range and the unit."""
        before = " from" if math.isfinite(self.upper) else ","
        text = f"{kind}{before} {self.span}" if self.span else kind
        return f"{text} [{self.unit}]" if self.unit else text

    def _of_kind(self, value: Any) -> bool:
        """Tell whether a value has the type."""
        kind: Any = type(self.default)
        if kind in (int, float):
            numbers = int if kind is int else (int, float)
            return isinstance(value, numbers) and not isinstance(value, bool)
        return isinstance(value, kind)

    def fits(self, value: Any) -> bool:
        """Return whether a value has the type and is in the range."""
        if not self._of_kind(value):
            return False
        if type(self.default) in (int, float):
            return bool(abs(value) < math.inf and self.lower <= value <= self.upper)
        return not self.choices or value in self.choices

    def check(self, value: Any, what: str = "") -> None:
        """Check a value; ``what`` names it, otherwise than the setting.

        Raises:
            InvalidValue: it is not allowed; names it, the value and what is.
        """
        if self.fits(value):
            return
        name, unit = self.run or self.name, f" {self.unit}" if self.unit else ""
        limit = tuple(self.choices) or (self.lower, self.upper)
        if self._of_kind(value):
            kind, shown, allowed = Kind.OUT_OF_BOUNDS, f"{value}{unit}", self.span or self.allowed
        else:
            kind, shown, allowed = Kind.FORM, reprlib.repr(value), self.allowed
        text = f"{what or self.name} = {shown} is not allowed: {allowed}"
        raise invalid(text, name, value, limit, kind=kind, unit=self.unit)

    def parse(self, text: str) -> Any:
        """Return the value that a text of a command line stands for.

        Raises:
            InvalidValue: it is not allowed; names the argument, the text and what is.
        """
        try:
            value = _value(type(self.default), text)
        except ValueError:
            value = None
        if not self.fits(value):
            why = f"argument {self.name} = {text!r} is not allowed: {self.allowed}"
            limit = tuple(self.choices) or (self.lower, self.upper)
            raise invalid(why, self.name, text, limit, unit=self.unit) from None
        return value


def made_of(kind: type[Made], values: Mapping[str, Any], fixed: Collection[str] = ()) -> Made:
    """Return a dataclass whose fields are named as settings, from values by the setting's name.

    Args:
        kind: the dataclass.
        values: a value for each field but the ``fixed`` ones, which keep their defaults.
        fixed: names of fields that are no settings.

    Raises:
        KeyError: a field has no value; a default would be that of a simulation.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: values[name] for name in names - set(fixed)})


def as_text(value: Any) -> str:
    """Return a value as it is written in a launch argument."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: type, text: str) -> Any:
    if kind is bool:
        return {"true": True, "false": False}.get(text)
    if kind is list:
        return [float(part) for part in text.split(",")] if text.strip() else []
    return kind(text)


def _shown(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
