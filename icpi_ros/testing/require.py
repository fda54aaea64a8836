"""Failure of a check."""

from __future__ import annotations


def require(condition: object, reason: str) -> None:
    """Fail with a reason unless a condition holds.

    Raises:
        AssertionError: it does not.
    """
    if not condition:
        raise AssertionError(reason)
