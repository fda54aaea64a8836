"""What one frame says about the tracked object, and what a track may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from icpi_ros.perception.detection import Detection
from icpi_ros.types import Array


class Rejected(StrEnum):
    """Why a frame gave no position."""

    NO = ""
    """It gave one."""
    NOTHING = "nothing looks like the object"
    JUMP = "too far from where the object can be"
    DOUBTFUL = "looks too little like the object to start or resume a track"
    AMBIGUOUS = "several candidates look equally good"
    ORDER = "frame out of order"
    CLOCK = "clock jumped backwards: track dropped"
    FUTURE = "frame from the future"
    DARK = "image is black"
    WHITE = "image is saturated"


@dataclass(frozen=True)
class TrackerSettings:
    """How the object may move and what starts a track.

    Attributes:
        power: power density of the acceleration [m^2/s^3]; covers a strike.
        gate: largest Mahalanobis distance of a measurement.
        most_speed: faster is a jump [m/s].
        lost_after: time without a measurement after which the track is dropped [s].
        doubt_after: time without a measurement after which a candidate must look as good as for
            a new track [s]: by then the gate is wide.
        acquire_score: least score of a candidate for a new track.
        clear_by: lead in score over the next candidate for a new track.
        separation: candidates closer than this are one object [m].
        forget_after: time for which a look-alike is remembered that is not seen any more while
            the object is [s]; longer than ``TrackingSettings.survey`` and than an arm hides it.
        restart: a stamp that goes back further than this is a restarted clock [s].
        ahead: a stamp may be this far ahead of the clock [s].
    """

    power: float = 40.0
    gate: float = 4.0
    most_speed: float = 4.0
    lost_after: float = 0.5
    doubt_after: float = 0.1
    acquire_score: float = 0.6
    clear_by: float = 0.05
    separation: float = 0.04
    forget_after: float = 2.0
    restart: float = 1.0
    ahead: float = 0.1


@dataclass(frozen=True)
class TrackState:
    """What one frame says about the object.

    Attributes:
        stamp_ns: of the image [ns].
        position: ``(3,)`` of the object's centre in ``base`` [m]; NaN unless measured.
        velocity: ``(3,)`` [m/s]; NaN unless measured.
        covariance: ``(4, 4)`` of position [m] and velocity [m/s] along the plane's axes; NaN
            unless measured.
        measured: the object was seen in this very frame.
        rejected: why not; empty if it was.
        detection: what was seen, or None.
        point: ``(2,)`` measured on the plane [m], not filtered; NaN unless measured.
        std: standard deviation of ``point`` per axis [m]; NaN unless measured.
    """

    stamp_ns: int
    position: Array
    velocity: Array
    covariance: Array
    measured: bool
    rejected: Rejected
    detection: Detection | None
    point: Array
    std: float


def unseen(stamp_ns: int, why: Rejected) -> TrackState:
    """Return the state of a frame that gave no position."""
    nothing = np.full(3, np.nan)
    covariance = np.full((4, 4), np.nan)
    return TrackState(
        stamp_ns, nothing, nothing, covariance, False, why, None, nothing[:2], float("nan")
    )
