"""Names of ROS namespaces and topics, checked before any node is made; imports no ROS."""

from __future__ import annotations

import re

from icpi_ros.core.errors import UsageError

_NAME = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?", re.ASCII)
MAX_LENGTH = 200
"""Longest name [characters]: topics of nodes come behind it, and DDS takes 255 in all."""
ALLOWED = "letters, digits and _, none begun with a digit, with single / between, as lab/arm_1"


def check_name(name: str, what: str) -> str:
    """Return a namespace or a topic's name that ROS takes; empty and ``/`` are the root.

    Raises:
        UsageError: it does not; ``what`` names it.
    """
    if name not in ("", "/") and not (len(name) <= MAX_LENGTH and _NAME.fullmatch(name)):
        shown = repr(name) if len(name) <= MAX_LENGTH else f"a name of {len(name)} characters"
        raise UsageError(f"{what} {shown} is not a ROS name: {ALLOWED}")
    return name
