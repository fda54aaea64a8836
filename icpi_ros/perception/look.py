"""Everything a tracker made of one frame, to show it."""

from __future__ import annotations

from dataclasses import dataclass

from icpi_ros.perception.detection import Detection
from icpi_ros.perception.tracking import TrackState
from icpi_ros.types import Array


@dataclass(frozen=True)
class Look:
    """One frame.

    Attributes:
        expected: pixel ``(2,)`` and reach [px] of where the object was expected; None = anywhere.
        detections: all candidates, best first.
        state: what became of it.
    """

    expected: tuple[Array, float] | None
    detections: tuple[Detection, ...]
    state: TrackState
