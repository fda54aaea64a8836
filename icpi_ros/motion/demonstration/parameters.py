"""Parameters of a demonstrated motion: kinds on offer, with unit, default bounds and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UnknownName, require_kind
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.motion.demonstration.demonstration import Demonstration

SPEED, HEADING, ELEVATION, REACH, LATERAL = "speed", "heading", "elevation", "reach", "lateral"
OFFSETS = ("offset_x", "offset_y", "offset_z")
COMPONENT = "component_"
SPEED_FACTORS = (0.5, 2.0)
"""Default bounds of the speed, in demonstrated speeds."""
FASTEST = 5.0
"""Largest speed that is proposed if the arm can do it, in demonstrated speeds: a hand is slow."""
LEAST = {SPEED: 1e-3, REACH: 0.05}
"""Least values of parameters that cannot be 0 or negative."""
MOST = {HEADING: np.pi, ELEVATION: 0.5 * np.pi}
"""Largest sizes of turns, either way."""
MAX_PARAMETERS = 8
_FIXED = (
    Parameter(HEADING, "rad", -0.3, 0.3, "turn of the tool path about the vertical at its start"),
    Parameter(ELEVATION, "rad", -0.2, 0.2, "turn of the tool path upwards about its start"),
    Parameter(REACH, "1", 0.8, 1.2, "size of the tool path about its start"),
    Parameter(LATERAL, "m", -0.05, 0.05, "shift of the tool path to the left of its direction"),
    *(
        Parameter(name, "m", -0.05, 0.05, f"shift of the tool path along {name[-1]}, frame base")
        for name in OFFSETS
    ),
)


def on_offer(shown: Demonstration) -> dict[str, Parameter]:
    """Return all parameters that a demonstrated motion can have, with default bounds."""
    low, high = (float(f"{factor * shown.speed:.3g}") for factor in SPEED_FACTORS)
    offered = [Parameter(SPEED, "m/s", low, high, "peak speed of the tool"), *_FIXED]
    for joint in shown.joints:
        meaning = "offset of this joint from the moment of peak speed on"
        offered.append(Parameter(joint, "rad", -0.15, 0.15, meaning))
    for number in range(1, len(shown.components) + 1):
        meaning = "difference between the demonstrations, in standard deviations"
        offered.append(Parameter(f"{COMPONENT}{number}", "1", -1.5, 1.5, meaning))
    return {parameter.name: parameter for parameter in offered}


def with_fastest(shown: Demonstration, space: ParameterSpace) -> ParameterSpace:
    """Return the box with an upper bound of speed of :data:`FASTEST` demonstrated ones."""
    top = FASTEST * shown.speed
    return replace(
        space,
        parameters=tuple(replace(p, upper=top) if p.name == SPEED else p for p in space.parameters),
    )


def neutral(shown: Demonstration, name: str) -> float:
    """Return the value of a parameter that leaves the motion as it was demonstrated."""
    return {SPEED: shown.speed, REACH: 1.0}.get(name, 0.0)


def space_of(
    shown: Demonstration, wanted: Mapping[str, tuple[float, float] | None]
) -> ParameterSpace:
    """Return the box of the ``wanted`` parameters; None = the default bounds of one.

    Raises:
        UnknownName: a name that is not on offer.
        InvalidValue: none or too many are wanted, or bounds are not two increasing numbers that
            are allowed.
    """
    if not 1 <= len(wanted) <= MAX_PARAMETERS:
        text = (
            f"a motion has 1 to {MAX_PARAMETERS} parameters, {len(wanted)} are asked for: choose "
            f"from {', '.join(on_offer(shown))}"
        )
        limit = (1.0, float(MAX_PARAMETERS))
        raise InvalidValue(
            Refusal(text, Kind.OUT_OF_BOUNDS, "parameters", value=len(wanted), limit=limit)
        )
    offered = on_offer(shown)
    chosen = []
    for name, bounds in wanted.items():
        if name not in offered:
            several = "" if len(shown.components) else "components need several demonstrations"
            raise UnknownName("parameter", name, offered, several)
        default = offered[name]
        low, high = (default.lower, default.upper) if bounds is None else _bounds(name, bounds)
        chosen.append(Parameter(name, default.unit, low, high, default.description))
    return ParameterSpace(tuple(chosen))


def _bounds(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    require_kind(name, bounds, (tuple, list), "two numbers, lower and upper")
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError):
        text = f"bounds of {name} = {bounds!r} are not allowed: two numbers, lower and upper"
        raise InvalidValue(Refusal(text, Kind.FORM, "bounds", field=name)) from None
    most = MOST.get(name, np.inf)
    least = LEAST.get(name, -most)
    if not (np.isfinite([low, high]).all() and least <= low < high <= most):
        above = f", at least {least:.3g}" if np.isfinite(least) else ""
        below = f" and at most {most:.3g} rad" if np.isfinite(most) else ""
        text = (
            f"bounds of {name} = {low:g} to {high:g} are not allowed: two increasing finite "
            f"numbers{above}{below}"
        )
        limit = (least, most)
        raise InvalidValue(Refusal(text, Kind.OUT_OF_BOUNDS, "bounds", "", low, limit, field=name))
    return low, high
