"""What a simulated camera is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from icpi_ros.errors import InvalidValue
from icpi_ros.perception.camera import DISTORTION


@dataclass(frozen=True)
class Range:
    """Closed range of a setting and its unit; empty = none."""

    lower: float
    upper: float
    unit: str = ""


RANGES: Mapping[str, Range] = {
    "width": Range(16, 1920, "px"),
    "height": Range(16, 1440, "px"),
    "rate": Range(1.0, 240.0, "Hz"),
    "noise": Range(0.0, 64.0, "grey levels"),
    "exposure": Range(0.0, 0.1, "s"),
    "gain": Range(0.0, 8.0),
    "latency": Range(0.0, 1.0, "s"),
    "drop": Range(0.0, 1.0),
    "seed": Range(0, 2**62),
}


@dataclass(frozen=True)
class CameraSettings:
    """A simulated camera; the defaults are an ideal one.

    Attributes:
        width, height: of the image [px].
        rate: frames per second of simulated time [Hz].
        distortion: plumb-bob coefficients k1, k2, p1, p2, k3.
        noise: standard deviation of each colour of each pixel [grey levels of 255].
        exposure: how long the shutter is open [s], at most 1 / rate; 0 = no motion blur.
        gain: factor on all grey levels; 0 = a lens cap, 2 = overexposed.
        latency: from the end of the exposure until the image is sent, in simulated time [s];
            the stamp stays the middle of the exposure.
        drop: share of the frames that are lost, from 0 to 1.
        seed: of noise and lost frames.
    """

    width: int = 320
    height: int = 240
    rate: float = 60.0
    distortion: tuple[float, ...] = (0.0,) * DISTORTION
    noise: float = 0.0
    exposure: float = 0.0
    gain: float = 1.0
    latency: float = 0.0
    drop: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no camera has.

        Raises:
            InvalidValue: names the setting, its value and what is allowed.
        """
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if not allowed.lower <= value <= allowed.upper:
                unit = f" {allowed.unit}" if allowed.unit else ""
                raise InvalidValue(
                    f"camera {name} = {value:g}: must be {allowed.lower:g} to "
                    f"{allowed.upper:g}{unit}"
                )
        if self.exposure * self.rate > 1.0 + 1e-9:
            raise InvalidValue(
                f"camera exposure = {self.exposure:g} s: must be at most 1 / rate "
                f"= {1.0 / self.rate:g} s"
            )
        if len(self.distortion) != DISTORTION or not np.isfinite(self.distortion).all():
            raise InvalidValue(
                f"camera distortion = {list(self.distortion)}: must be {DISTORTION} finite "
                "numbers k1, k2, p1, p2, k3"
            )


TYPICAL = CameraSettings(
    distortion=(-0.12, 0.04, 0.0005, -0.0005, 0.0),
    noise=4.0,
    exposure=0.004,
    latency=0.02,
    drop=0.05,
)
"""A webcam of the better kind; accuracy under non-ideal conditions is stated for it."""
