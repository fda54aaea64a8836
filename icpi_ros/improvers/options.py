"""Typed options of improvers: one frozen dataclass each, its fields have the allowed values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.core.redact import redact_text
from icpi_ros.core.text import printable

if TYPE_CHECKING:
    from cattrs import Converter

O = TypeVar("O")  # noqa: E741

MAX_NUMBER = 1e15
"""Largest number of an option; infinity, which JSON does not have, means no limit."""
MAX_SHOWN = 24
"""Longest text that an error shows; a longer one may be a key in the wrong place [characters]."""
_TYPES: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "true or false"),
    int: ("whole number", "a whole number"),
    float: ("number", "a number"),
    str: ("text", "a text"),
}


def option(
    default: Any,
    text: str,
    *,
    unit: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    choices: Sequence[Any] = (),
    valid: Callable[[Any], bool] | None = None,
    allowed: str = "",
) -> Any:
    """Return a dataclass field that is an option.

    A subclass may give it another default (``sigma: float = 0.1``); the rest is inherited.

    Args:
        default: of the option.
        text: description, one line.
        unit: of a number.
        low: smallest allowed number.
        high: largest one; infinite = none.
        choices: allowed values; none = all.
        valid: whether a value of the right type is allowed.
        allowed: what ``valid`` allows, in words.
    """
    what = {"text": text, "unit": unit, "low": low, "high": high}
    return field(
        default=default, metadata=what | {"choices": choices, "valid": valid, "allowed": allowed}
    )


def fixed(value: Any) -> Any:
    """Return a dataclass field that is no option: a base class has one that makes no sense here."""
    return field(default=value, init=False)


@dataclass(frozen=True)
class NoOptions:
    """Options of an improver that takes none."""


@dataclass(frozen=True)
class Option:
    """One option of an improver; the rest is as in :func:`option`.

    Attributes:
        name: of the field.
        type: of its values.
        default: MISSING if it must be given.
    """

    name: str
    type: Any
    default: Any
    text: str = ""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: Sequence[Any] = ()
    valid: Callable[[Any], bool] | None = None
    allowed: str = ""

    @property
    def kind(self) -> str:
        """Its type in a word or two."""
        return _TYPES[self.type][0] if self.type in _TYPES else _name(self.type)

    @property
    def span(self) -> str:
        """Its choices, or its range; empty = any value of the type."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} to {self.high:g}"
        if math.isfinite(self.low):
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if math.isfinite(self.high) else ""

    @property
    def words(self) -> str:
        """Allowed values in words, as an error names them."""
        if self.choices:
            return f"choose one of {self.span}"
        if self.allowed:
            return self.allowed
        words = ", ".join(filter(None, (_TYPES.get(self.type, ("", self.kind))[1], self.span)))
        return f"{words} [{self.unit}]" if self.unit else words

    def read(self, value: Any, improver: str) -> Any:
        """Return a JSON value as one of the option's type.

        Raises:
            InvalidValue: it is not allowed; names improver, option, value and what is.
        """
        try:
            found = _converter().structure(value, self.type)
            ok = all(map(self._allows, found if isinstance(found, list | tuple) else [found]))
        except Exception:  # of whatever kind a converter of a foreign type raises
            ok = False
        if not ok:
            # A text that is free may hold a key, so not even a wrong one is shown.
            shown = "this value" if self.type is str and not self.choices else show(value)
            raise invalid(
                f"option {self.name} of {improver}: {shown} is not allowed: {self.words}",
                f"options.{self.name}",
                None if shown == "this value" else value,
                tuple(map(str, self.choices)) or (self.low, self.high),
                unit=self.unit,
            )
        return found

    def _allows(self, value: Any) -> bool:
        if isinstance(value, int | float) and not isinstance(value, bool):
            inside = abs(value) < MAX_NUMBER and self.low <= value <= self.high
            return inside and (not self.choices or value in self.choices)
        return (not self.choices or value in self.choices) and (not self.valid or self.valid(value))


def options_of(kind: type[Any]) -> Mapping[str, Option]:
    """Return the options that a dataclass has, by name.

    Raises:
        InvalidValue: it is no dataclass.
    """
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise InvalidValue(f"Options = {kind!r} of an improver must be a dataclass")
    types, known = _types_of(kind), {f.name for f in fields(Option)}
    return {
        f.name: Option(
            f.name,
            types[f.name],
            f.default if f.default_factory is MISSING else f.default_factory(),
            **{key: what for key, what in _metadata(kind, f.name).items() if key in known},
        )
        for f in fields(kind)
        if f.init
    }


@cache
def _types_of(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def read_options(kind: type[O], given: Mapping[str, Any], improver: str) -> O:
    """Return a dataclass of options from JSON values; those not given have their defaults.

    Nothing is coerced: true is no number, "3" is none either, and 3.0 is not a whole one.

    Raises:
        InvalidValue: an unknown option, or a value that is not allowed; one line, which shows no
            value of an option that may hold a key.
    """
    known = options_of(kind)
    check_names(given, known, improver)
    values = {name: known[name].read(value, improver) for name, value in given.items()}
    try:
        return kind(**values)
    except Exception as exc:  # its __post_init__ may refuse a combination, in whatever way
        why = printable(" ".join(redact_text(str(exc)).split()))
        raise InvalidValue(f"options of {improver} are not allowed: {why}") from exc


def check_names(given: Mapping[str, Any], known: Mapping[str, Any], improver: str) -> None:
    """Check that all options that are ``given`` are ``known``.

    Raises:
        InvalidValue: one is not; names it, the likely one, and those that there are.
    """
    for name in sorted(given.keys() - known.keys()):
        allowed = f"choose from {', '.join(sorted(known))}" if known else "it has no options"
        text = f"unknown option {show(name)} of {improver}: {allowed}{_guess(name, known)}"
        raise invalid(text, "options", name, tuple(sorted(known)), kind=Kind.UNKNOWN_NAME)


def show(value: Any) -> str:
    """Return a JSON value as an error may show it: one line, short, no key of the environment."""
    if isinstance(value, str):
        if len(value) > MAX_SHOWN:
            return f"a text of {len(value)} characters"
        return repr(redact_text(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "so large a number" if abs(value) >= MAX_NUMBER else f"{value:g}"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return {True: "true", False: "false", None: "null"}.get(value, type(value).__name__)


def parse_option(text: str) -> tuple[str, Any]:
    """Parse ``k=20``: the value as JSON if it can be read as such, else as text.

    Raises:
        InvalidValue: not KEY=VALUE; the message does not show it, it may hold a key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidValue("an option is written KEY=VALUE, for example digits=3")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def parse_options(text: str) -> dict[str, Any]:
    """Parse a JSON object of options; empty text = none.

    Raises:
        InvalidValue: something else; the message does not show it.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidValue('options must be a JSON object, for example {"digits": 3}')
    return found


def _metadata(kind: type[Any], name: str) -> Mapping[str, Any]:
    """Return the metadata of a field, from the class that declares it or the nearest base."""
    declared = (base.__dict__.get("__dataclass_fields__", {}).get(name) for base in kind.__mro__)
    return next((found.metadata for found in declared if found and found.metadata), {})


def _guess(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name[:MAX_SHOWN], known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


@cache
def _converter() -> Converter:
    """Return the converter of JSON values to any type, without coercion."""
    from cattrs import Converter  # takes a tenth of a second: only where an option is given

    made = Converter(forbid_extra_keys=True)
    for kind in _TYPES:
        made.register_structure_hook(kind, _strict)
    return made


def _strict(value: Any, kind: Any) -> Any:
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is not kind:
        raise TypeError
    return value
