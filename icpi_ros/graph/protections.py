"""Protections of an arm beside which people stand: one table for executor and real graph."""

from __future__ import annotations

from collections.abc import Mapping

CAREFUL: Mapping[str, bool | int | float | str] = {
    "approval": True,
    "scene": "operator",
    "speed_scale": 0.25,
    "ramp_trials": 3,
    "ramp_scale": 0.3,
    "rehearse": True,
    "max_step": 0.5,
}
"""Defaults of the executor's own parameters; a simulated graph gives it others."""


def as_text(value: bool | int | float | str) -> str:
    """Return a value as it is written in a launch argument."""
    return str(value).lower() if isinstance(value, bool) else str(value)
