"""Arms whose joints carry a prefix, as those of two arms under one controller manager do."""

from __future__ import annotations

import copy
import re

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.robots.base import Arm

_ALLOWED = re.compile(r"[A-Za-z0-9_/.-]*")


def prefixed(arm: Arm, prefix: str) -> Arm:
    """Return the arm with ``prefix`` in front of every joint's name; the same arm if it is empty.

    Joint states, motions and tolerances all take their names from ``arm.joints``, so that nothing
    else needs to know of the prefix.

    Raises:
        InvalidValue: the prefix cannot be part of a joint's name.
    """
    if not prefix:
        return arm
    if not _ALLOWED.fullmatch(prefix):
        text = (
            f"joint_prefix = {prefix!r} is not allowed: letters, digits and _ / . - alone, for "
            "example ur_"
        )
        field = "joint_prefix"
        raise InvalidValue(Refusal(text, Kind.FORM, field, value=prefix, field=field))
    named = copy.copy(arm)
    named.joints = tuple(f"{prefix}{joint}" for joint in arm.joints)
    return named
