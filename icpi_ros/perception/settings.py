"""All thresholds of tracking in one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from icpi_ros.perception.detection import DetectorSettings
from icpi_ros.perception.quality import QualitySettings
from icpi_ros.perception.smoother import SmootherSettings
from icpi_ros.perception.tracking import TrackerSettings


@dataclass(frozen=True)
class TrackingSettings:
    """All thresholds.

    Attributes:
        detector: see there.
        tracker: see there.
        smoother: see there.
        quality: see there.
        bridge: between two measurements at most this far apart a sample is the smoother's
            estimate [s]; longer is a gap: NaN.
        history: how much of the past is kept [s].
        most_frames: bound on memory, whatever the frame rate.
        survey: the whole image is searched this often, to know look-alikes [s].
    """

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    smoother: SmootherSettings = field(default_factory=SmootherSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    bridge: float = 0.06
    history: float = 60.0
    most_frames: int = 50_000
    survey: float = 0.25
