"""Sensor sources: samples of a sensor in, the object's positions and paths out; no ROS.

The same objects serve the node ``perception`` (messages as they arrive), the evaluation of bags
(messages as they were recorded) and the benchmarks (images of a simulated camera).  A new source
is one file with a subclass of :class:`Source`: a plug-in, or a line in :data:`SOURCES`.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from icpi_ros.core.registry import Registry
from icpi_ros.core.types import SECOND, Array, Indices, ObjectTrajectory
from icpi_ros.motion.rest import RestDetector, RestRule
from icpi_ros.perception.quality import Quality, judge_pose
from icpi_ros.settings.table import CAMERA, POSES
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:  # OpenCV, which poses can do without
    from icpi_ros.perception.camera import Camera
    from icpi_ros.perception.imaging.images import Frame

HISTORY = 60.0
"""Default length of the past that is kept [s]."""
GRID_TOLERANCE = 0.6
"""Largest distance of a sample from its grid time [periods]."""
MAX_WINDOW = 600.0
"""Longest past that is kept, and so the longest window [s]."""
MAX_SAMPLES = 100_000
"""Bound on memory, whatever the rate of the source."""
LIVE_POSES = "object_pose"
"""Topic of tracked poses."""
LIVE_IMAGES = "camera/image_raw"
"""Topic of camera images."""

CameraOf = Callable[[Any], "Camera"]
"""Camera that belongs to a ``CameraInfo`` message; raises InvalidValue if it is not one."""


@dataclass(frozen=True)
class PoseSample:
    """A tracked position: stamp of the measurement [ns], ``(3,)`` [m] in frame ``base``."""

    ns: int
    position: Array


@dataclass(frozen=True)
class ImageSample:
    """A camera image.

    Attributes:
        ns: stamp of the image [ns].
        frame: its pixels; None if they cannot be used.
        info: the last CameraInfo before it (fields of the message); None = none so far, or it was
            given to the source by itself.
        refused: reason why the pixels cannot be used; empty if they can.
    """

    ns: int
    frame: Frame | None
    info: Any | None = None
    refused: str = ""


Sample = PoseSample | ImageSample


@dataclass(frozen=True)
class Measurement:
    """A position out of one sample: stamp [ns], ``(3,)`` [m], and whether the object rests."""

    ns: int
    position: Array
    at_rest: bool


@dataclass(frozen=True)
class SeenPath:
    """The object's path in a window.

    Attributes:
        path: None if the object was not seen.
        quality: of the path; None without one.
        reason: the reason why there is no path; None if there is one.
    """

    path: ObjectTrajectory | None
    quality: Quality | None
    reason: str | None = None


class Source(ABC):
    """Follower of a task's object through the samples of one sensor; not thread-safe.

    Args:
        task: whose object it is.
        history: how much of the past is kept [s].
        camera: calibrated, or what makes one of a ``CameraInfo``; sources of poses need none.

    Raises:
        UsageError: the task cannot be observed by this sensor.
    """

    topic: ClassVar[str]
    """Relative name of the topic with the samples."""
    message_type: ClassVar[str]
    """Its type, as ``geometry_msgs/msg/PoseStamped``."""
    lead: ClassVar[float] = 0.5
    """Time before and after a window whose samples count for its path [s]."""

    @abstractmethod
    def __init__(
        self, task: Task, history: float = HISTORY, camera: Camera | CameraOf | None = None
    ) -> None:
        """Start with nothing seen."""

    @staticmethod
    @abstractmethod
    def read(msg: Any) -> Sample:
        """Return the sample in a message; live ones and those of bags have the same fields.

        Raises:
            InvalidValue: it cannot be used.
        """

    @abstractmethod
    def take(self, sample: Any, now_ns: int | None = None) -> Measurement | None:
        """Take the next sample; return what was measured, None if the object was not seen.

        Args:
            sample: as :meth:`read` returns them.
            now_ns: the same clock now [ns], to recognise samples from the future; None = unknown.

        Raises:
            InvalidValue: the sample cannot be used.
        """

    @property
    @abstractmethod
    def newest(self) -> int | None:
        """Stamp of the last sample that was looked at [ns], seen or not; None if there is none."""

    @abstractmethod
    def path(self, start: int, stop: int) -> SeenPath:
        """Return the path between two stamps [ns]."""


class PoseSource(Source):
    """Source of poses from motion capture or simulation, taken as they are."""

    topic = LIVE_POSES
    message_type = "geometry_msgs/msg/PoseStamped"

    def __init__(
        self, task: Task, history: float = HISTORY, camera: Camera | CameraOf | None = None
    ) -> None:
        """See :class:`Source`."""
        self._history = ObjectHistory(task.rest, history)
        self._rest = RestDetector(task.rest)

    @staticmethod
    def read(msg: Any) -> PoseSample:
        """See :class:`Source`."""
        place = msg.pose.position
        return PoseSample(stamp_ns(msg), np.array([place.x, place.y, place.z]))

    def take(self, sample: PoseSample, now_ns: int | None = None) -> Measurement | None:
        """See :class:`Source`."""
        ns, position = sample.ns, sample.position
        if not (np.isfinite(position).all() and self._history.add(ns, position)):
            return None
        return Measurement(ns, position, self._rest.update(ns / SECOND, position))

    @property
    def newest(self) -> int | None:
        """See :class:`Source`."""
        return self._history.newest

    def path(self, start: int, stop: int) -> SeenPath:
        """See :class:`Source`."""
        found = self._history.cut(start, stop)
        if found is None:
            return SeenPath(None, None, "no pose in the window")
        return SeenPath(found, judge_pose(found))


class ObjectHistory:
    """Stamped positions of the last ``length`` [s], cut to trial windows.

    A sample that was never received stays missing: nothing is interpolated, nothing invented.
    """

    def __init__(self, rule: RestRule, length: float) -> None:
        self._period = round(rule.period * SECOND)
        self._length = round(length * SECOND)
        self._samples: deque[tuple[int, Array]] = deque(maxlen=MAX_SAMPLES)

    @property
    def newest(self) -> int | None:
        """Stamp of the last sample [ns], None if there is none."""
        return self._samples[-1][0] if self._samples else None

    def add(self, ns: int, position: Array) -> bool:
        """Keep a sample (stamp [ns], ``(3,)`` [m]); False if it is not newer than the last one.

        Time that jumps back by more than a second means a restarted clock: history is dropped.
        """
        newest = self.newest
        if newest is not None and ns <= newest:
            if newest - ns < SECOND:
                return False
            self._samples.clear()
        self._samples.append((ns, position))
        while ns - self._samples[0][0] > self._length:
            self._samples.popleft()
        return True

    def cut(self, start: int, stop: int) -> ObjectTrajectory | None:
        """Return the samples from ``start`` to ``stop`` [ns] as :func:`on_grid` has them."""
        first, last = start - self._period, stop + self._period
        recent = itertools.takewhile(lambda sample: sample[0] >= first, reversed(self._samples))
        near = [(ns, position) for ns, position in recent if ns <= last][::-1]
        stamps = np.array([ns for ns, _ in near], dtype=np.int64)
        positions = np.array([position for _, position in near]).reshape(-1, 3)
        return on_grid(stamps, positions, start, stop, self._period)


def on_grid(
    stamps: Indices, positions: Array, start: int, stop: int, period: int
) -> ObjectTrajectory | None:
    """Return samples on a grid of sample periods that begins at ``start``.

    Grid times without a sample have NaN positions (REP-117); of several samples the nearest
    counts, with its own time.

    Args:
        stamps: ``(n,)`` increasing [ns].
        positions: ``(n, 3)`` [m].
        start: of the window [ns].
        stop: its end [ns].
        period: of the grid [ns].

    Returns:
        The path; None if nothing was seen.
    """
    count = max(0, stop - start) // period + 1
    times = np.arange(count, dtype=np.float64) * (period / SECOND)
    path = np.full((count, 3), np.nan)
    since = (stamps - start) / period
    index = np.rint(since).astype(np.int64)
    distance = np.abs(since - index)
    usable = (index >= 0) & (index < count) & (distance <= GRID_TOLERANCE)
    if not usable.any():
        return None
    order = np.lexsort((distance[usable], index[usable]))
    rows = np.flatnonzero(usable)[order]
    slots, first = np.unique(index[rows], return_index=True)
    chosen = rows[first]
    path[slots] = positions[chosen]
    times[slots] = (stamps[chosen] - start) / SECOND
    return ObjectTrajectory(times, path)


def stamp_ns(msg: Any) -> int:
    """Return the stamp in a message's header [ns]."""
    return int(msg.header.stamp.sec) * SECOND + int(msg.header.stamp.nanosec)


SOURCES: Registry[type[Source]] = Registry(
    "source",
    {
        CAMERA: "icpi_ros.perception.image_source:ImageSource",
        POSES: "icpi_ros.perception.sources:PoseSource",
    },
    lambda item: isinstance(item, type) and issubclass(item, Source),
)
"""All sensor sources by name."""
