"""Colours of the page: one per trial, the same in the scene and in the cost curve."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]
ARM: Colour = (128, 140, 152)
GHOST: Colour = (30, 130, 235)
PAST: Colour = (150, 90, 40)
SLOW: Colour = (240, 150, 25)
RELEASE: Colour = (230, 40, 190)
GOAL: Colour = (10, 150, 70)
_RAMP = np.array([[62, 60, 140], [120, 40, 160], [200, 55, 120], [245, 120, 60], [255, 190, 30]])


def shade(index: int, count: int) -> Colour:
    """Return the colour of one of ``count`` trials, dark for the first, bright for the newest."""
    place = (index / (count - 1) if count > 1 else 1.0) * (len(_RAMP) - 1)
    red, green, blue = (int(np.interp(place, np.arange(len(_RAMP)), c)) for c in _RAMP.T)
    return red, green, blue
