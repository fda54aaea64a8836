"""Settings of a simulated camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.errors import Kind, invalid
from icpi_ros.perception.camera import DISTORTION
from icpi_ros.settings.table import find

NUMBERS = ("width", "height", "rate", "noise", "exposure", "gain", "latency", "drop", "seed")
"""Settings with a range, in the table as ``camera_NAME``."""


def _usual(name: str) -> Any:
    return find(f"camera_{name}").usual


@dataclass(frozen=True)
class CameraSettings:
    """Settings of a simulated camera; the defaults are an ideal one.

    Attributes:
        width, height: of the image [px].
        rate: frames per second of simulated time [Hz].
        distortion: plumb-bob coefficients k1, k2, p1, p2, k3.
        noise: standard deviation of each colour of each pixel [grey levels of 255].
        exposure: time for which the shutter is open [s], at most 1 / rate; 0 = no motion blur.
        gain: factor on all grey levels; 0 = a lens cap, 2 = overexposed.
        latency: from the end of the exposure until the image is sent, in simulated time [s];
            the stamp stays the middle of the exposure.
        drop: share of the frames that are lost, from 0 to 1.
        seed: of noise and lost frames.
    """

    width: int = _usual("width")
    height: int = _usual("height")
    rate: float = _usual("rate")
    distortion: tuple[float, ...] = (0.0,) * DISTORTION
    noise: float = _usual("noise")
    exposure: float = _usual("exposure")
    gain: float = _usual("gain")
    latency: float = _usual("latency")
    drop: float = _usual("drop")
    seed: int = _usual("seed")

    def __post_init__(self) -> None:
        """Refuse settings that no camera has.

        Raises:
            InvalidValue: names the setting, its value and what is allowed.
        """
        for name in NUMBERS:
            value, setting = getattr(self, name), find(f"camera_{name}")
            if not setting.lower <= value <= setting.upper:
                unit = f" {setting.unit}" if setting.unit else ""
                text = f"camera {name} = {value:g}: must be {setting.span}{unit}"
                limit = (setting.lower, setting.upper)
                raise invalid(text, setting.name, value, limit, unit=setting.unit)
        if self.exposure * self.rate > 1.0 + 1e-9:
            longest = 1.0 / self.rate
            text = (
                f"camera exposure = {self.exposure:g} s: must be at most 1 / rate = {longest:g} s"
            )
            raise invalid(text, "camera_exposure", self.exposure, (0.0, longest), unit="s")
        if len(self.distortion) != DISTORTION or not np.isfinite(self.distortion).all():
            raise invalid(
                f"camera distortion = {list(self.distortion)}: must be {DISTORTION} finite "
                "numbers k1, k2, p1, p2, k3",
                "camera_distortion",
                self.distortion,
                kind=Kind.FORM,
            )


TYPICAL = CameraSettings(
    distortion=(-0.12, 0.04, 0.0005, -0.0005, 0.0),
    noise=4.0,
    exposure=0.004,
    latency=0.02,
    drop=0.05,
)
"""A webcam of the better kind; accuracy under non-ideal conditions is stated for it."""
