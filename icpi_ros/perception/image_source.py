"""Source of camera images: camera, detector, tracker and smoother of a task, put together."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.rest import RestRule
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.image_tracker import SMOOTHING_MARGIN, ImageTracker
from icpi_ros.perception.imaging.encodings import frame_of
from icpi_ros.perception.sources import (
    HISTORY,
    LIVE_IMAGES,
    CameraOf,
    ImageSample,
    Measurement,
    SeenPath,
    Source,
    stamp_ns,
)
from icpi_ros.perception.targets import tracked_target
from icpi_ros.tasks.base import Task

NO_INFO = "no camera_info yet: images cannot be used"
_RECTIFIED = re.compile(r"(^|[/_])rect(ified)?([/_]|$)")
"""Names of topics with rectified images; of cameras without distortion the raw ones, too."""
MIN_REST_WINDOW = 0.4
"""Time over which a speed is estimated [s]: at 60 Hz and 0.3 mm per image good to 0.5 mm/s."""
MIN_IMAGES = 8
MAX_IMAGES = 2000
SPEED_STDS = 2.0
"""Distance of the speed below the limit, in its standard deviations, from which rest is sure."""


class ImageSource(Source):
    """Source that detects and tracks the task's object in every image.

    With a calibrated camera it can be used at once, else from the first ``CameraInfo`` on.

    Attributes:
        tracker: None as long as no usable ``CameraInfo`` has come.
        unready: the reason why there is no tracker.
        refused: the reason why the last image could not be used; empty if it could.
    """

    topic = LIVE_IMAGES
    message_type = "sensor_msgs/msg/Image"
    lead = 1.0  # a camera's track begins before the window
    lag = SMOOTHING_MARGIN + 0.1

    def __init__(
        self, task: Task, history: float = HISTORY, camera: Camera | CameraOf | None = None
    ) -> None:
        """See :class:`Source`."""
        watched = tracked_target(task)
        self._watch = replace(watched, settings=replace(watched.settings, history=history))
        self._period, self._rest = task.rest.period, NoisyRestDetector(task.rest)
        self._info: tuple[object, ...] = ()
        self._message: Any = None
        self.unready, self.refused = NO_INFO, ""
        self.tracker: ImageTracker | None = None
        self._camera_of = None if isinstance(camera, Camera) else camera
        if isinstance(camera, Camera):
            self.tracker = ImageTracker.of(self._watch, camera)

    @staticmethod
    def read(msg: Any) -> ImageSample:
        """See :class:`Source`."""
        return ImageSample(stamp_ns(msg), frame_of(msg))

    def learn(self, info: Any, topic: str = "") -> None:
        """Take a ``CameraInfo``; one like the last, or beside a calibrated camera, changes nothing.

        Args:
            info: the message.
            topic: of the images, as far as it is known.

        Raises:
            InvalidValue: it is not a calibration: no image can be used until another one comes.
        """
        if self._camera_of is None or info is self._message:
            return
        self._message = info
        # As bytes: NaN differs from itself.
        size, model = (info.width, info.height), info.distortion_model
        cut = (getattr(info, "binning_x", 0), getattr(info, "binning_y", 0), _region(info))
        numbers = bytes(memoryview(info.k)), bytes(memoryview(info.d))
        calibration = (*size, model, *cut, *numbers)
        if calibration == self._info:
            return
        self._info, self.tracker = calibration, None
        try:
            _require_raw(topic, info)
            self.tracker = ImageTracker.of(self._watch, self._camera_of(info))
        except InvalidValue as exc:
            self.unready = f"camera_info: {exc}"
            raise

    def ready(self) -> ImageTracker:
        """Return the tracker.

        Raises:
            InvalidValue: there is none, and why.
        """
        if self.tracker is None:
            raise InvalidValue(self.unready)
        return self.tracker

    def take(self, sample: ImageSample, now_ns: int | None = None) -> Measurement | None:
        """See :class:`Source`; without a tracker nothing is seen."""
        if sample.info is not None:
            self.learn(sample.info, sample.topic)
        self.refused = sample.refused
        if self.tracker is None or sample.frame is None:
            return None
        state = self.tracker.update(sample.ns, sample.frame, now_ns)
        if not state.measured:
            return None
        seen = self.tracker.plane.lift(state.point)
        resting = self.judges_rest and self._rest.update(sample.ns / SECOND, seen)
        return Measurement(sample.ns, state.position, resting)

    @property
    def newest(self) -> int | None:
        """See :class:`Source`."""
        return None if self.tracker is None else self.tracker.newest

    def path(self, start: int, stop: int) -> SeenPath:
        """See :class:`Source`."""
        if self.tracker is None:
            why = self.refused or f"{self.unready}; a calibration file needs none"
            return SeenPath(None, None, why)
        path, quality = self.tracker.trajectory(start, stop, self._period)
        if path.coverage == 0.0:
            why = f": {self.refused}" if self.refused else ""
            return SeenPath(None, None, f"the object was not seen in the window{why}")
        return SeenPath(path, quality)


def _require_raw(topic: str, info: Any) -> None:
    """Refuse rectified images: ``image_proc`` publishes them beside the raw ones' camera_info."""
    if _RECTIFIED.search(topic) and any(info.d):
        raise InvalidValue(
            f"it tells the lens of the raw images, and those on {topic} are rectified: give the "
            "raw ones, or a calibration file that was made with the rectified ones"
        )


def _region(info: Any) -> tuple[int, ...]:
    roi = getattr(info, "roi", None)
    names = ("x_offset", "y_offset", "width", "height")
    return tuple(int(getattr(roi, name)) for name in names) if roi is not None else ()


class NoisyRestDetector:
    """Detector of rest in noisy positions: the slope of a line through the last ones.

    It keeps the task's rest rule.  :class:`icpi_ros.motion.rest.RestDetector` compares two true
    positions, this fits all positions of a longer window, so rest is seen up to 0.3 s later.
    """

    def __init__(self, rule: RestRule) -> None:
        self.rule = rule
        self._window = max(rule.window, MIN_REST_WINDOW)
        self._seen: deque[tuple[float, Array]] = deque(maxlen=MAX_IMAGES)

    def update(self, time: float, position: Array) -> bool:
        """Take a measurement (``time`` [s], ``(3,)`` [m]); return whether the object rests.

        Time that goes back means a restarted clock: what was seen is forgotten.
        """
        if self._seen and time <= self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((time, position))
        while self._seen[0][0] < time - self._window:
            self._seen.popleft()
        if len(self._seen) < MIN_IMAGES or time - self._seen[0][0] < 0.75 * self._window:
            return False
        speed, std = self._speed()
        return speed + SPEED_STDS * std < self.rule.speed

    def _speed(self) -> tuple[float, float]:
        """Return the length of the slope and its standard deviation [m/s]."""
        times = np.array([time for time, _ in self._seen])
        points = np.array([point for _, point in self._seen])
        times = times - times.mean()
        moment = float(times @ times)
        slope = times @ points / moment
        left = points - points.mean(axis=0) - np.outer(times, slope)
        variance = float(np.sum(left**2)) / (2.0 * (len(times) - 2))  # two dimensions move
        return float(np.linalg.norm(slope)), float(np.sqrt(variance / moment))
