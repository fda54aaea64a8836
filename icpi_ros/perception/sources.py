"""Sensor sources: samples of a sensor in, the object's positions and paths out; no ROS.

The same objects serve the node ``perception`` (messages as they arrive), the evaluation of bags
(messages as they were recorded) and the benchmarks (images of a simulated camera).  A new source
is one file with a subclass of :class:`Source`: a plug-in, or a line in :data:`SOURCES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from icpi_ros.core.registry import Registry
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory
from icpi_ros.motion.rest import RestDetector
from icpi_ros.perception.poses.frames import length
from icpi_ros.perception.poses.history import (
    LEAP,
    MAX_SAMPLES,
    MAX_SPIKES,
    ObjectHistory,
    without_spikes,
)
from icpi_ros.perception.poses.losses import Loss, LossLog, tracking_loss
from icpi_ros.perception.poses.placing import DOUBTED, NotPlaced, Placing
from icpi_ros.perception.poses.repeats import BELIEVED, MAX_REPEAT, RepeatWatch
from icpi_ros.perception.poses.sample import PoseSample as PoseSample
from icpi_ros.perception.poses.sample import read_pose
from icpi_ros.perception.poses.sample import stamp_ns as stamp_ns
from icpi_ros.perception.poses.scene_size import far_of
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.perception.quality import Quality, QualitySettings, judge_pose
from icpi_ros.settings.poses import POSE_LOST
from icpi_ros.settings.table import CAMERA, POSES
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:  # OpenCV, which poses can do without
    from icpi_ros.perception.camera import Camera
    from icpi_ros.perception.imaging.images import Frame

HISTORY = 60.0
"""Default length of the past that is kept [s]."""
MAX_WINDOW = 600.0
"""Longest past that is kept, and so the longest window [s]."""
MAX_COPIES = 5
"""Copies of a message that are the transport's; more are stamps that stand still."""
LIVE_POSES = "object_pose"
"""Topic of tracked poses."""
LIVE_IMAGES = "camera/image_raw"
"""Topic of camera images."""

CameraOf = Callable[[Any], "Camera"]
"""Camera that belongs to a ``CameraInfo`` message; raises InvalidValue if it is not one."""


@dataclass(frozen=True)
class ImageSample:
    """A camera image.

    Attributes:
        ns: stamp of the image [ns].
        frame: its pixels; None if they cannot be used.
        info: the last CameraInfo before it (fields of the message); None = none so far, or it was
            given to the source by itself.
        refused: reason why the pixels cannot be used; empty if they can.
        topic: of the images; empty = not known.
    """

    ns: int
    frame: Frame | None
    info: Any | None = None
    refused: str = ""
    topic: str = ""


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
    """Time before a window whose samples count for its path [s]."""
    lag: ClassVar[float] = 0.5
    """The same after it."""
    judges_rest: bool = True
    """False = nobody asks whether the object rests: a source may leave ``at_rest`` False."""

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

    @property
    def unseen(self) -> str | None:
        """Reason why the last sample gave no position, in words; None = it did, or not known."""
        return None

    def time_of(self, sample: Any) -> int:
        """Return the time of a sample that counts [ns]."""
        return int(sample.ns)


class PoseSource(Source):
    """Source of poses from motion capture or simulation.

    What is no measurement (the object lost, another frame, unit or clock) is a gap with a reason.
    """

    topic = LIVE_POSES
    message_type = "geometry_msgs/msg/PoseStamped"

    def __init__(
        self, task: Task, history: float = HISTORY, camera: Camera | CameraOf | None = None
    ) -> None:
        """See :class:`Source`."""
        self._history = ObjectHistory(task.rest, history)
        self._rest = RestDetector(task.rest)
        agility = task.camera_target.agility if task.camera_target else None
        self._limits = QualitySettings.of(agility)
        self._placing = Placing(far_of(task))
        self._repeats, self._lost = RepeatWatch(), LossLog(MAX_SAMPLES)
        self._last: tuple[int, bytes] | None = None
        self._copies = 0
        self._seconds: int | None = None
        self._unseen: str | None = None

    @property
    def placing(self) -> Placing:
        """The way from the tracker's frame, unit and clock to ours, with its settings."""
        return self._placing

    def understand(self, settings: PoseSettings) -> None:
        """Take poses as ``settings`` tell, from the next one on."""
        self._placing.settings = settings

    @staticmethod
    def read(msg: Any) -> PoseSample:
        """See :class:`Source`."""
        return read_pose(msg)

    def time_of(self, sample: PoseSample) -> int:
        """See :class:`Source`."""
        return self._placing.time_of(sample.ns, sample.received)

    @property
    def unseen(self) -> str | None:
        """See :class:`Source`."""
        return self._unseen

    def take(self, sample: PoseSample, now_ns: int | None = None) -> Measurement | None:
        """See :class:`Source`."""
        if sample.received is None and now_ns is not None:
            sample = replace(sample, received=now_ns)
        for msg, fixed in sample.frames:
            self._placing.tree.learn(msg, fixed)
        ns, bits = self.time_of(sample), _bits(sample)
        try:
            self._placing.check_clock(sample.ns, sample.received)
            if not self._is_news(ns, bits, sample.received):
                return None
            self._last = (ns, bits)
            loss = tracking_loss(sample.position, sample.orientation, self._variance(sample))
            if loss is not None:
                return self._lose(ns, loss)
            return self._measured(ns, bits, self._placing.place(sample.position, sample.frame, ns))
        except NotPlaced as exc:
            if exc.loss is Loss.UNIT:  # near its origin millimetres read like metres
                self._drop(ns - round(DOUBTED * SECOND), exc.loss, str(exc))
            self._lose(ns, exc.loss, str(exc))
            raise

    def _is_news(self, ns: int, bits: bytes, received: int | None) -> bool:
        """Tell whether a pose is newer than the last one; what is not is a gap, but for copies."""
        if self._last is None or ns > self._last[0]:
            self._copies = 0
            return True
        if self._last[0] - ns >= SECOND:
            self._restart()
            return True
        self._copies += (ns, bits) == self._last
        if ns < self._last[0]:
            self._lose(received or ns, Loss.ORDER)
        elif bits != self._last[1] or self._copies > MAX_COPIES:
            self._lose(received or ns, Loss.STILL)
            self._note_second(ns, bits, self._last[1])
        return False

    def _note_second(self, ns: int, bits: bytes, before: bytes) -> None:
        """Take note where the first other pose of a stamp is that of another object."""
        if self._seconds == ns:
            return
        self._seconds = ns
        here, there = np.frombuffer(bits, count=3), np.frombuffer(before, count=3)
        if length(here - there) * self._placing.settings.scale > LEAP:
            self._history.add_leap(ns)

    def _measured(self, ns: int, bits: bytes, position: Array) -> Measurement | None:
        """Take a position in ``base``; None = it repeats the last one where none can."""
        repeat = BELIEVED
        if self._placing.settings.repeated == POSE_LOST:
            repeat = self._repeats.take(ns, bits, position)
        if repeat.since is not None:
            self._drop(repeat.since, Loss.REPEATED)
        if repeat.lost:
            return self._lose(ns, Loss.REPEATED)
        self._history.add(ns, position)
        self._unseen = None
        resting = self._rest.update(ns / SECOND, position)
        return Measurement(ns, position, resting and not repeat.doubtful)

    def _variance(self, sample: PoseSample) -> float | None:
        """Return the variance of a sample [m^2]."""
        scale = self._placing.settings.scale
        return None if sample.variance is None else sample.variance * scale**2

    def _lose(self, ns: int, loss: Loss, text: str = "") -> Measurement | None:
        """Keep why there is no measurement; return none."""
        self._unseen = text or loss.value
        self._lost.add(ns, loss, self._unseen)
        return None

    def _drop(self, since: int, loss: Loss, text: str = "") -> None:
        """Take back the measurements after a stamp [ns]."""
        for ns in self._history.drop_after(since):
            self._lost.add(ns, loss, text)
        self._rest.reset()

    def _restart(self) -> None:
        self._copies = 0
        self._repeats.reset()
        self._lost.clear()

    @property
    def newest(self) -> int | None:
        """See :class:`Source`."""
        return None if self._last is None else self._last[0]

    def path(self, start: int, stop: int) -> SeenPath:
        """See :class:`Source`."""
        why = self._lost.reason(start, stop)
        found = self._history.cut(start, stop)
        if found is None:
            return SeenPath(None, None, why or "no pose in the window")
        if self._placing.settings.repeated == POSE_LOST and _stands_still(found):
            return SeenPath(None, None, SAME_POSE)
        leaps = self._history.leaps(start, stop)
        found, leap = without_spikes(found) if leaps else (found, "")
        quality = judge_pose(found, self._history.rate(start, stop), self._limits)
        if leap or leaps > 2 * MAX_SPIKES:
            how = leap or f"{leaps} times"
            quality = replace(quality, reason=f"the object leaps, {how}: {LEAPS}")
        elif quality.reason and why:
            quality = replace(quality, reason=f"{quality.reason}: {why}")
        return SeenPath(found, quality)


LEAPS = "two objects or nodes send poses, or the tracker took another object for it"
"""Reason why a path leaps."""
SAME_POSE = (
    "all poses of the window are the same bit for bit: the tracker lost the object and sends its "
    "last pose again, or the motion missed it and the tracker has no noise (then "
    "repeated_poses:=allowed)"
)
"""Reason why a path that does not move is none."""


def _bits(sample: PoseSample) -> bytes:
    """Return a pose as bytes, to compare it bit for bit."""
    turn = b"" if sample.orientation is None else sample.orientation.tobytes()
    return sample.position.tobytes() + turn


def _stands_still(path: ObjectTrajectory) -> bool:
    """Tell whether all positions of a path that lasts some time are the same."""
    seen = path.positions[np.isfinite(path.positions).all(axis=1)]
    lasts = path.times[-1] - path.times[0] >= MAX_REPEAT
    return bool(lasts and len(seen) > 1 and (seen == seen[0]).all())


SOURCES: Registry[type[Source]] = Registry(
    "source",
    {
        CAMERA: "icpi_ros.perception.image_source:ImageSource",
        POSES: "icpi_ros.perception.sources:PoseSource",
        "tracked_transform": "icpi_ros.perception.poses.kinds:TransformSource",
        "tracked_covariance": "icpi_ros.perception.poses.kinds:CovarianceSource",
        "tracked_odometry": "icpi_ros.perception.poses.kinds:OdometrySource",
        "tracked_point": "icpi_ros.perception.poses.kinds:PointSource",
    },
    lambda item: isinstance(item, type) and issubclass(item, Source),
)
"""All sensor sources by name."""
