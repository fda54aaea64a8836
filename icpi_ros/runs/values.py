"""Numbers and options that a caller gives a run, as Python has them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from icpi_ros.core.errors import require_kind


def whole(value: Any) -> Any:
    """Return a whole number of numpy as one of Python; anything else as it is, to be checked."""
    return int(value) if isinstance(value, np.integer) else value


def real(value: Any) -> Any:
    """Return a number as one of Python; anything else as it is, to be checked."""
    return value if isinstance(value, bool) or not isinstance(value, Real) else float(value)


def named(options: Any) -> dict[str, Any]:
    """Return options of an improver by their names; None = none is given.

    Raises:
        InvalidValue: they are something else.
    """
    allowed = "a mapping of names to values, such as {'k': 5}"
    require_kind("options", {} if options is None else options, Mapping, allowed)
    found = dict(options or {})
    for name in found:
        require_kind("name of an option", name, str, "a text")
    return found
