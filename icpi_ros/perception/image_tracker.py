"""Tracker of one object through images: detector, Kalman tracker, smoother and quality judge."""

from __future__ import annotations

from collections import deque

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.detector import Detector
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.quality import Quality, judge
from icpi_ros.perception.smoother import SmoothedPath, smooth
from icpi_ros.perception.targets import TrackedTarget
from icpi_ros.perception.tracker import Tracker
from icpi_ros.perception.tracking_types import (
    Rejection,
    TrackedFrame,
    TrackingSettings,
    TrackState,
    unseen,
)
from icpi_ros.tasks.camera_target import Target
from icpi_ros.tasks.plane import Plane

BLACK_LEVEL, WHITE_LEVEL = 8.0, 250.0
"""Mean levels, of 255, of a black and of a saturated image."""
EXPOSURE_STRIDE = 17
"""Stride [px] of the pixels by which an image is called black or saturated; odd, so that all
colours of a Bayer image are among them."""
SMOOTHING_MARGIN = 0.25
"""Time around a window whose measurements help to smooth it [s]."""
GRID_TOLERANCE = 0.6
"""Largest distance of a sample before the first or after the last measurement [periods]."""


class ImageTracker:
    """Tracker of one object on a plane in a calibrated camera's images; not thread-safe."""

    def __init__(
        self, camera: Camera, target: Target, plane: Plane, settings: TrackingSettings | None = None
    ) -> None:
        self.settings = settings or TrackingSettings()
        self.plane = plane
        self.detector = Detector(target, camera, plane, self.settings.detector)
        self.tracker = Tracker(camera, plane, self.settings.tracker)
        self._seen: deque[TrackState] = deque(maxlen=self.settings.max_frames)
        self._surveyed: int | None = None
        self._newest: int | None = None
        self.last_frame: TrackedFrame | None = None
        """Result of the last frame; None before the first."""

    @classmethod
    def of(cls, watched: TrackedTarget, camera: Camera) -> ImageTracker:
        """Return a tracker of a task's target; see :func:`targets.tracked_target`."""
        return cls(camera, watched.target, watched.plane, watched.settings)

    @property
    def newest(self) -> int | None:
        """Stamp of the last frame that was looked at [ns]; None if there is none."""
        return self._newest

    def update(self, stamp_ns: int, frame: Frame, now_ns: int | None = None) -> TrackState:
        """Look at a frame.

        Args:
            stamp_ns: when it was taken [ns].
            frame: see :func:`icpi_ros.perception.imaging.encodings.decode`.
            now_ns: the same clock now [ns], to recognise frames from the future.

        Raises:
            InvalidValue: the frame's size is not the camera's.
        """
        why = self.tracker.check(stamp_ns, now_ns)
        if why is not Rejection.NO:
            if why is Rejection.CLOCK:
                self._seen.clear()
                self._surveyed = self._newest = None
            return self._keep_frame(TrackedFrame(None, (), unseen(stamp_ns, why)))
        expected = self.tracker.expected(stamp_ns)
        if expected is None or self._survey_due(stamp_ns):
            self._surveyed = stamp_ns
            detections = self.detector.detect(frame)
        else:
            detections = self.detector.detect(frame, *expected)
        state = self.tracker.update(stamp_ns, detections, now_ns)
        self._newest = stamp_ns
        if state.measured:
            self._keep(state)
        elif state.rejected is Rejection.NOTHING:
            state = unseen(stamp_ns, _exposure(frame))
        return self._keep_frame(TrackedFrame(expected, tuple(detections), state))

    def _keep_frame(self, tracked: TrackedFrame) -> TrackState:
        self.last_frame = tracked
        return tracked.state

    def reset(self, near: Array | None = None) -> None:
        """Start a new track, see :meth:`Tracker.reset`; ``near`` in [m].  The past stays."""
        self.tracker.reset(near)

    def trajectory(
        self, start_ns: int, stop_ns: int, period: float
    ) -> tuple[ObjectTrajectory, Quality]:
        """Return the path between two stamps, and how good it is.

        Args:
            start_ns: time 0 of the trajectory [ns].
            stop_ns: its end [ns].
            period: of the samples [s].

        Raises:
            InvalidValue: the window or the period is not positive.
        """
        if stop_ns < start_ns or not period > 0.0:
            raise InvalidValue(
                f"window {start_ns} to {stop_ns} ns, period {period} s: must be positive"
            )
        length = (stop_ns - start_ns) / SECOND
        path = self.smoothed(start_ns, stop_ns)
        times = np.asarray(period * np.arange(int(length / period + 1e-6) + 1))
        positions: Array = np.full((len(times), 3), np.nan)
        residual = rate = float("nan")
        if path is not None:
            known = _bracketed(times, path.times, self.settings.bridge, GRID_TOLERANCE * period)
            positions[known] = self.plane.lift(path.at(times[known]))
            residual, rate = path.residual, _rate(path.times, self.settings.bridge)
        trajectory = ObjectTrajectory(times, positions)
        return trajectory, judge(trajectory, residual, rate, self.settings.quality)

    def smoothed(self, start_ns: int, stop_ns: int) -> SmoothedPath | None:
        """Return the smoothed path of the measured frames in and around a window [ns].

        Its times count from ``start_ns`` [s].  None if the object was not seen.
        """
        margin = round(SMOOTHING_MARGIN * SECOND)
        used = [s for s in self._seen if start_ns - margin <= s.stamp_ns <= stop_ns + margin]
        if not any(start_ns <= s.stamp_ns <= stop_ns for s in used):
            return None
        times = np.array([(s.stamp_ns - start_ns) / SECOND for s in used])
        points, stds = np.array([s.point for s in used]), np.array([s.std for s in used])
        return smooth(times, points, stds, self.settings.smoother)

    def _survey_due(self, stamp_ns: int) -> bool:
        if self._surveyed is None:
            return True
        return stamp_ns - self._surveyed >= self.settings.survey * SECOND

    def _keep(self, state: TrackState) -> None:
        self._seen.append(state)
        oldest = state.stamp_ns - self.settings.history * SECOND
        while self._seen[0].stamp_ns < oldest:
            self._seen.popleft()


def _exposure(frame: Frame) -> Rejection:
    """Return why nothing was seen: too dark, too bright, or just nothing there."""
    mean = float(frame.pixels[::EXPOSURE_STRIDE, ::EXPOSURE_STRIDE].mean())
    if mean < BLACK_LEVEL:
        return Rejection.DARK
    return Rejection.WHITE if mean > WHITE_LEVEL else Rejection.NOTHING


def _bracketed(times: Array, seen: Array, bridge: float, edge: float) -> Array:
    """Return which ``times`` lie between two measurements close together, or almost on one."""
    after = np.searchsorted(seen, times, side="left")
    left = seen[np.clip(after - 1, 0, len(seen) - 1)]
    right = seen[np.clip(after, 0, len(seen) - 1)]
    between = (left <= times) & (times <= right) & (right - left <= bridge)
    return np.asarray(between | (np.minimum(abs(times - left), abs(times - right)) <= edge))


def _rate(seen: Array, bridge: float) -> float:
    """Return measured frames per second, gaps left out [Hz]; NaN = fewer than two."""
    steps = np.diff(seen)
    steps = steps[steps <= max(bridge, 2.0 * float(np.median(steps)))] if len(steps) else steps
    return float(1.0 / steps.mean()) if len(steps) else float("nan")
