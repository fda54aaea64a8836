"""Colours of the page as red, green, blue: those of all pictures, for viser."""

from __future__ import annotations

from icpi_ros.core.pictures import style
from icpi_ros.core.pictures.style import rgb

Colour = tuple[int, int, int]

ARM = rgb(style.CATEGORIES[3])
"""The arm as it is."""
GHOST = rgb(style.PREDICTED)
"""What waits for a person."""
PAST = rgb(style.CATEGORIES[9])
"""A trial's motion beside an arm that is shown as it is."""
SLOW, RELEASE = rgb(style.CATEGORIES[0]), rgb(style.CATEGORIES[5])
"""Slow moves before what waits; the point at which the gripper lets go."""
GOAL = rgb(style.GOAL)


def shades(count: int) -> list[str]:
    """Return the colours ``#rrggbb`` of ``count`` trials: the newest stands out most."""
    return list(style.sequence(count)) if count > 1 else [style.SEQUENCE[-1]]
