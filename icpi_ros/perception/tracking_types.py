"""Values of tracking: settings, detections, and the object's state by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.perception.quality import BRIDGE, QualitySettings
from icpi_ros.perception.smoother import SmootherSettings


@dataclass(frozen=True)
class DetectorSettings:
    """Limits of what counts as the target.

    Attributes:
        min_area: seen area over expected area; less is hidden too far or another object.
        max_area: the same; more is another object, or one that touches it.
        min_circularity: of the blob, 0 to 1; a long one is another object or far too blurred.
        min_score: overlap with the expected outline, 0 to 1.
        std: of the centroid of a whole, sharp object [px].
        max_candidates: blobs that get a fine look, largest first.
    """

    min_area: float = 0.35
    max_area: float = 1.7
    min_circularity: float = 0.6
    min_score: float = 0.35
    std: float = 0.05
    max_candidates: int = 6


@dataclass(frozen=True)
class Detection:
    """A place in an image that looks like the target.

    Attributes:
        pixel: ``(2,)`` where the target's centre projects to (not the blob's centroid).
        area: seen [px].
        circularity: 0 to 1 (a disc), less for long or hollow blobs.
        score: overlap of blob and expected outline, 0 to 1.
        std: standard deviation of each coordinate of ``pixel`` [px].
    """

    pixel: Array
    area: float
    circularity: float
    score: float
    std: float


class Rejection(StrEnum):
    """Reason why a frame gave no position."""

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
    """Limits of the object's motion, and of the start of a track.

    Attributes:
        power: power density of the acceleration [m^2/s^3]; covers a strike.
        gate: largest Mahalanobis distance of a measurement [standard deviations].
        max_speed: faster is a jump [m/s].
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
    max_speed: float = 4.0
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
    """State of the object by one frame.

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
    rejected: Rejection
    detection: Detection | None
    point: Array
    std: float


def unseen(stamp_ns: int, why: Rejection) -> TrackState:
    """Return the state of a frame, stamped ``stamp_ns`` [ns], that gave no position."""
    nothing = np.full(3, np.nan)
    covariance = np.full((4, 4), np.nan)
    return TrackState(
        stamp_ns, nothing, nothing, covariance, False, why, None, nothing[:2], float("nan")
    )


@dataclass(frozen=True)
class TrackedFrame:
    """Result of one frame with all its candidates, to show it.

    Attributes:
        expected: pixel ``(2,)`` and reach [px] of where the object was expected; None = anywhere.
        detections: all candidates, best first.
        state: of the object.
    """

    expected: tuple[Array, float] | None
    detections: tuple[Detection, ...]
    state: TrackState


@dataclass(frozen=True)
class TrackingSettings:
    """All thresholds.

    Attributes:
        detector: of the detection in one image.
        tracker: of the track from image to image.
        smoother: of the path of a window.
        quality: of the limits for a path.
        bridge: between two measurements at most this far apart a sample is the smoother's
            estimate [s]; longer is a gap: NaN.
        history: how much of the past is kept [s].
        max_frames: bound on memory, whatever the frame rate.
        survey: the whole image is searched this often, to know look-alikes [s].
    """

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    smoother: SmootherSettings = field(default_factory=SmootherSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    bridge: float = BRIDGE
    history: float = 60.0
    max_frames: int = 50_000
    survey: float = 0.25
