"""Bisection of a way on which something is possible up to a point."""

from __future__ import annotations

from collections.abc import Callable


def last_passing(passes: Callable[[float], bool], halvings: int) -> float:
    """Return the largest share, 0 to 1, that passed.

    Args:
        passes: whether a share of the way is possible; 0 is taken to be, 1 not to be.
        halvings: of the way; the share is found to this power of two.
    """
    good, bad = 0.0, 1.0
    for _ in range(halvings):
        middle = 0.5 * (good + bad)
        good, bad = (middle, bad) if passes(middle) else (good, middle)
    return good
