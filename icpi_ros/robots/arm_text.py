"""Origin and limits of an arm as lines for a log."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from icpi_ros.core.files import HASH_DIGITS
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, ArmLimits
from icpi_ros.robots.described_arm import DescribedArm


def origin_text(arm: Arm) -> str:
    """Return the files of an arm, or the module of one in Python, each with a hash.

    ``/lab/my_arm.yaml (sha256 0123456789ab)``;
    ``module icpi_ros.robots.ur5e (sha256 of its limits 0123456789ab)``
    """
    if isinstance(arm, DescribedArm) and arm.description.files:
        return ", ".join(map(str, arm.description.files))
    return f"module {type(arm).__module__} (sha256 of its limits {limits_digest(arm.limits)})"


def limits_text(limits: ArmLimits) -> str:
    """Return the limits of joints and tool on one line, with units."""
    return (
        f"velocity {_numbers(limits.velocity)} rad/s, "
        f"acceleration {_numbers(limits.acceleration)} rad/s^2, "
        f"tool speed {limits.tool_speed:g} m/s, tool energy {limits.tool_energy:g} J"
    )


def workspace_text(limits: ArmLimits) -> str:
    """Return the box of the tool point on one line, with its unit and frame."""
    sides = zip("xyz", limits.workspace_lower, limits.workspace_upper, strict=True)
    box = ", ".join(f"{axis} {low:g} to {high:g}" for axis, low, high in sides)
    return f"tool point inside {box} m (base)"


def limits_digest(limits: ArmLimits) -> str:
    """Return the first digits of the SHA-256 of all limits, exact to the last bit."""
    lines = [
        f"{field.name} {np.atleast_1d(getattr(limits, field.name)).tolist()!r}"
        for field in fields(limits)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:HASH_DIGITS]


def _numbers(values: Array) -> str:
    """Return one number where all are the same, else a list of them."""
    texts = [f"{value:.4g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"
