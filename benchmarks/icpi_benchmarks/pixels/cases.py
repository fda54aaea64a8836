"""Strikes seen through a simulated camera: cameras, occlusion, and the tracked path.

Every trial is filmed in simulation and followed by the tracker that the graph uses, with the
true calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from icpi_benchmarks.pixels.filming import Film
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.quality import Quality
from icpi_ros.perception.sources import ImageSample
from icpi_ros.perception.targets import TrackedTarget, outline
from icpi_ros.sim.camera_settings import TYPICAL, CameraSettings
from icpi_ros.sim.offscreen import Image
from icpi_ros.tasks.base import Task

HIDDEN = 0.3
"""Time for which the band hides the whole object [s]."""
BAND_RADII = 20.0
"""Width of the band in radii of the object's image."""
GREY = 60
"""Brightness of the band, of 255."""
STREAM = 0x91E15
"""Last entropy word of this benchmark's random streams."""


@dataclass(frozen=True)
class Case:
    """Circumstances of the camera.

    Attributes:
        settings: of the camera.
        occluded: True: a band passes over the object in the middle of its way.
        median, p95: what is allowed of the final position error [m].
    """

    settings: CameraSettings
    occluded: bool
    median: float
    p95: float


WEBCAM = replace(TYPICAL, drop=0.05)
CASES: Mapping[str, Case] = MappingProxyType(
    {
        "ideal": Case(CameraSettings(), False, 0.5e-3, 1.5e-3),
        "typical": Case(WEBCAM, False, 2e-3, 5e-3),
        "occluded": Case(WEBCAM, True, 2e-3, 5e-3),
    }
)


@dataclass(frozen=True)
class Sight:
    """Tracked path of a film.

    Attributes:
        path: samples as the graph's, NaN where not seen.
        quality: the tracker's verdict.
    """

    path: ObjectTrajectory
    quality: Quality


def look(task: Task, camera: Camera, made: Film, hide: Band | None = None) -> Sight:
    """Follow the task's object through a film; ``hide`` is drawn over the images."""
    source = ImageSource(task, camera=camera)
    for stamp, image in made.images:
        pixels = image if hide is None else hide.over(image, stamp)
        source.take(ImageSample(stamp, Frame(pixels, "rgb8")))
    return Sight(*source.ready().trajectory(made.start_ns, made.stop_ns, task.rest.period))


@dataclass(frozen=True)
class Band:
    """An opaque vertical band that sweeps over the object, like an arm.

    Attributes:
        middle_ns: when its centre is on the object's [ns].
        stamps: of ``columns`` [ns].
        columns: where the object's centre is [px].
        width: of the band [px].
        speed: relative to the object [px/s].
    """

    middle_ns: int
    stamps: Array
    columns: Array
    width: float
    speed: float

    @classmethod
    def of(cls, watched: TrackedTarget, camera: Camera, made: Film) -> Band:
        """Return a band that hides all of the object for HIDDEN, halfway along its path."""
        path = made.path
        way = np.concatenate(
            [[0.0], np.cumsum(np.linalg.norm(np.diff(path.positions, axis=0), axis=1))]
        )
        middle = int(np.searchsorted(way, 0.5 * way[-1]))
        edge = outline(watched.target, camera, watched.plane, path.positions[middle])
        across = float(np.ptp(edge[:, 0]))
        width = 0.5 * BAND_RADII * across
        stamps = made.start_ns + SECOND * path.times
        columns = camera.project(path.positions)[:, 0]
        return cls(int(stamps[middle]), stamps, columns, width, (width - across) / HIDDEN)

    def over(self, image: Image, stamp: int) -> Image:
        """Return a copy of an image with the band at time ``stamp`` [ns]."""
        centre = np.interp(stamp, self.stamps, self.columns)
        centre += self.speed * (stamp - self.middle_ns) / SECOND
        edges = np.clip([centre - 0.5 * self.width, centre + 0.5 * self.width], 0, image.shape[1])
        left, right = (round(float(edge)) for edge in edges)
        hidden = image.copy()
        hidden[:, left:right] = GREY
        return hidden

    def marked(self, made: Film, seen: ObjectTrajectory) -> bool:
        """Return True if no position is given where the whole object was hidden for two images."""
        off = abs(made.start_ns + SECOND * seen.times - self.middle_ns)
        inside = off < (0.5 * HIDDEN - 0.04) * SECOND
        return bool(np.isnan(seen.positions[inside]).all())


def in_picture(watched: TrackedTarget, camera: Camera, path: ObjectTrajectory) -> bool:
    """Return True if all of the object is in the picture all the time."""
    size = np.array([camera.intrinsics.width, camera.intrinsics.height]) - 1.0
    for point in (*path.positions[::4], path.positions[-1]):
        pixels = outline(watched.target, camera, watched.plane, point)
        if not ((pixels >= 0.0) & (pixels <= size)).all():
            return False
    return True
