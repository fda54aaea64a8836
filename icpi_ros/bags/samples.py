"""Samples of sensors out of a bag of any kind, in time order; no ROS."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.bags.formats.raw import RawMessage
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import BELOW_RAW, CLOCK, COMPRESSED, IMAGE, INFO, POSE, TYPES
from icpi_ros.bags.trials import RecordedTrial, WindowState
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.types import SECOND, Array, Indices
from icpi_ros.perception.imaging.encodings import frame_of
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.poses.frames import BASE, MAX_TOLD, FrameMessages
from icpi_ros.perception.sources import SOURCES, ImageSample, PoseSample, Sample, Source

_HEAD = struct.Struct("<iII")
MAX_POSE = 1e6
"""Coordinates of a pose beyond are those of a damaged message; millimetres are not."""
MAX_FRAME_ID = 1000
"""Longest frame id [B]."""
FRAMES = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
"""Types of messages about frames."""
FIXED = "tf_static"
"""Name of the topic of frames that never move."""
LOG_CLOCK = 5 * SECOND
"""Largest time from the end of a trial window to its message in a bag whose times of recording are
those of the windows' clock [ns]."""


def stream_samples(
    bag: Bag,
    source: str,
    windows: Sequence[RecordedTrial] | None = None,
    margin: float = 0.0,
    after: float | None = None,
) -> Iterator[Sample]:
    """Yield samples in the order of recording; one pass, one image in memory at a time.

    Args:
        bag: to read.
        source: of :data:`SOURCES`, as the parameter of node ``perception``.
        windows: only what is stamped inside one of these windows; None = everything.
        margin: how much more before and after each window [s].
        after: how much more after each window [s]; None = ``margin``.

    Raises:
        UsageError: the bag has no such topic.
    """
    margins = [round(more * SECOND) for more in (margin, margin if after is None else after)]
    wanted = None if windows is None else _Spans(windows, *margins)
    kind = require_source(bag, source)
    if kind.topic == IMAGE:
        yield from _images(bag, wanted)
    else:
        yield from _TopicSamples(bag, kind, wanted, _have_log_clock(bag, windows or ()))


def has_source(bag: Bag, source: str) -> bool:
    """Return whether the bag has the topic of a source of :data:`SOURCES`."""
    kind = SOURCES.get(source)
    there = bag.look_for(kind.topic, kind.message_type)
    return there or (kind.topic == IMAGE and COMPRESSED in bag.topics)


def require_source(bag: Bag, source: str) -> type[Source]:
    """Return the source of that name.

    Raises:
        UsageError: unknown, or the bag lacks its topic.
    """
    kind = SOURCES.get(source)
    if not has_source(bag, source):
        bag.require(kind.topic)
    return kind


def poses_of(
    bag: Bag, trials: Sequence[RecordedTrial], margin: float = 0.0
) -> list[tuple[Indices, Array]]:
    """Return for each trial the stamps ``(n,)`` [ns] and positions ``(n, 3)`` [m] in its window.

    Raises:
        UsageError: the bag has no poses.
    """
    more = round(margin * SECOND)
    samples = sorted(
        stream_samples(bag, "tracked_pose", trials, margin), key=lambda sample: sample.ns
    )
    stamps = np.array([sample.ns for sample in samples], dtype=np.int64)
    positions = np.array([s.position for s in samples if isinstance(s, PoseSample)])
    positions = positions.reshape(-1, 3)
    found = []
    for trial in trials:
        first, last = np.searchsorted(stamps, [trial.start - more, trial.stop + more + 1])
        found.append((stamps[first:last], positions[first:last]))
    return found


def in_windows(windows: Sequence[RecordedTrial]) -> Callable[[int], bool]:
    """Return the test whether a stamp [ns] is inside one of some windows."""
    return _Spans(windows, 0, 0).hold


class _Spans:
    """Test of stamps for being inside one of some windows."""

    def __init__(self, windows: Sequence[RecordedTrial], before: int, after: int) -> None:
        spans = sorted((w.start - before, w.stop + after) for w in windows if w.stop)
        self._starts = [start for start, _ in spans]
        self._stops = list(accumulate((stop for _, stop in spans), max))

    def hold(self, ns: int) -> bool:
        """Return whether stamp ``ns`` [ns] is inside one."""
        before = bisect_right(self._starts, ns)
        return before > 0 and ns <= self._stops[before - 1]


def _images(bag: Bag, wanted: _Spans | None) -> Iterator[ImageSample]:
    images, info = bag.topics.get(IMAGE) or bag.topics[COMPRESSED], _Info(bag)
    for message in bag.raw([topic for topic in (images, bag.topics.get(INFO)) if topic]):
        if message.channel.topic != images:
            info.take(message)
            continue
        ns = stamp_of(message)
        if ns is None or (wanted is not None and not wanted.hold(ns)):
            continue
        msg = bag.decode(message)
        if msg is None:
            continue
        try:
            yield ImageSample(ns, frame_of(msg), info.last, topic=images)
        except InvalidValue as exc:
            bag.note(f"{images}: an image is skipped: {exc}")
            yield ImageSample(ns, None, info.last, str(exc))


class _Info:
    """The ``CameraInfo`` that counts; one that differs from it in its stamp alone is not decoded.

    Attributes:
        last: the message; None before the first that can be read.
    """

    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self.last: Any | None = None
        self._bytes: tuple[bytes, bytes] | None = None

    def take(self, message: RawMessage) -> None:
        """Take a message of the topic of calibrations."""
        read = message.data[:4], message.data[12:]
        if read == self._bytes:
            return
        found = self._bag.decode(message)
        if found is not None:
            self.last, self._bytes = found, read


class _TopicSamples:
    """Samples of a source out of one topic; those of poses with what /tf told before them."""

    def __init__(self, bag: Bag, kind: type[Source], wanted: _Spans | None, by_log: bool) -> None:
        self._bag, self._kind, self._wanted = bag, kind, wanted
        self._topic = bag.topics[kind.topic]
        self._by_log = by_log
        self._frames = FrameMessages()

    def __iter__(self) -> Iterator[Sample]:
        about = self._about_frames()
        for message in self._bag.raw((self._topic, *about)):
            if message.channel.topic != self._topic:
                self._learn(message)
                continue
            ns = stamp_of(message)
            if ns is None or not (self._holds(ns) or (self._by_log and self._holds(message.ns))):
                continue
            sample = self._read(message, ns)
            if isinstance(sample, PoseSample):
                received = message.ns if self._by_log else None
                sample = replace(sample, received=received, frames=self._frames.take())
            if sample is not None:
                yield sample

    def _holds(self, ns: int) -> bool:
        return self._wanted is None or self._wanted.hold(ns)

    def _about_frames(self) -> list[str]:
        """Return the topics about frames, where poses are in one.

        Frames that never move are read now, the first message of each last: a recorder may have
        heard it after the poses.
        """
        first = next(self._bag.raw((self._topic,)), None)
        pose = None if first is None else self._read(first, 0)
        if not isinstance(pose, PoseSample) or pose.frame is None or pose.frame == BASE:
            return []
        found = [topic for kind in FRAMES for topic in _of_type(self._bag, kind)]
        fixed = [topic for topic in found if topic.endswith(FIXED)]
        for message in reversed(list(islice(self._bag.raw(fixed), MAX_TOLD))):
            self._learn(message)
        return found

    def _learn(self, message: RawMessage) -> None:
        if (msg := self._bag.decode(message)) is not None:
            self._frames.add(msg, message.channel.topic.endswith(FIXED))

    def _read(self, message: RawMessage, ns: int) -> Sample | None:
        """Return the sample in a message; None = it cannot be read, which is noted."""
        topic = message.channel.topic
        if self._kind.topic == POSE:
            sample = _pose(message, ns)
            if sample is None:
                self._bag.note(f"{topic}: a pose that cannot be read is skipped")
            return sample
        msg = self._bag.decode(message)
        if msg is None:
            return None
        try:
            read: Sample = self._kind.read(msg)
        except InvalidValue as exc:
            self._bag.note(f"{topic}: a message is skipped: {exc}")
            return None
        return read


def _have_log_clock(bag: Bag, windows: Sequence[RecordedTrial]) -> bool:
    """Tell whether windows were recorded on their own clock; not in simulation."""
    ended = [w for w in windows if w.state is WindowState.CLOSED and w.recorded]
    there = bool(ended) and CLOCK not in bag.topics
    return there and all(abs(w.recorded - w.stop) <= LOG_CLOCK for w in ended)


def stamp_of(message: RawMessage) -> int | None:
    """Return the stamp of a message that begins with a header [ns]; None if it is cut off."""
    if len(message.data) < 4 + _HEAD.size:
        return None
    order = "<" if message.data[1] & 1 else ">"
    sec, nanosec = struct.unpack_from(order + "iI", message.data, 4)
    return int(sec) * SECOND + int(nanosec)


def _pose(message: RawMessage, ns: int) -> PoseSample | None:
    """Return the sample of a serialised PoseStamped, without the price of a full decoder.

    Its layout is fixed: encapsulation, stamp, frame with its length, then doubles on multiples of
    eight bytes after the encapsulation.  None: it is cut off or damaged.
    """
    data = message.data
    if len(data) < 4 + _HEAD.size:
        return None
    order = "<" if data[1] & 1 else ">"
    (length,) = struct.unpack_from(order + "I", data, 12)
    at = 4 + (12 + length + 7) // 8 * 8
    if at + 56 > len(data) or length > MAX_FRAME_ID:
        return None
    numbers = np.array(struct.unpack_from(order + "7d", data, at))
    if np.any(np.abs(numbers[:3]) > MAX_POSE):
        return None
    frame = bytes(data[16 : 16 + length]).rstrip(b"\0").decode("utf-8", "replace")
    return PoseSample(ns, numbers[:3], frame, numbers[3:])


@dataclass(frozen=True)
class ImageBag:
    """Images of one topic of a bag.

    Attributes:
        path: folder of the bag, or its .mcap or .db3 file.
        topic: of the images; None = the only one there is.
    """

    path: Path
    topic: str | None = None

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Yield stamp [ns] and image, in the order of recording.

        Raises:
            UsageError: no such bag or topic, or nothing in it can be read.
            InvalidValue: an image whose encoding or size cannot be used.
        """
        bag = self._opened()
        count = 0
        for message in bag.raw((self._images(bag),)):
            msg, stamp = bag.decode(message), stamp_of(message)
            if msg is None or stamp is None:
                continue
            count += 1
            yield stamp, frame_of(msg)
        if not count and bag.skipped:
            raise UsageError(f"cannot read bag {self.path}: no image in it{bag.because}")

    def count(self) -> int:
        """Return the number of images.

        Raises:
            UsageError: see :meth:`frames`.
        """
        bag = self._opened()
        return sum(1 for _ in bag.raw((self._images(bag),)))

    def info(self) -> Any | None:
        """Return the first CameraInfo message of the images' camera; None if there is none.

        It is published beside the images (``image_transport``): ``left/image_raw`` belongs to
        ``left/camera_info``.  Under another name it is only taken if the bag has just one camera.

        Raises:
            UsageError: see :meth:`frames`, or the bag does not determine which camera_info it is.
        """
        bag = self._opened()
        images = _raw_name(self._images(bag))
        infos, cameras = _of_type(bag, TYPES[INFO]), self._cameras(bag)
        beside = images.rpartition("/")[0] + "/camera_info"
        if beside not in infos:
            if len(infos) > 1 or (infos and len(cameras) > 1):
                raise UsageError(
                    f"bag {self.path}: no camera_info beside {images}, and which of "
                    f"{', '.join(infos)} belongs to it is not known"
                )
            beside = infos[0] if infos else ""
        messages = (bag.decode(message) for message in bag.raw((beside,)))
        return next((msg for msg in messages if msg is not None), None)

    def _opened(self) -> Bag:
        return Bag(self.path, assigned=False)

    @staticmethod
    def _cameras(bag: Bag) -> list[str]:
        """Return the topics of images; compressed ones of a camera only without its raw ones."""
        images = _of_type(bag, TYPES[IMAGE])
        return images + [t for t in _of_type(bag, TYPES[COMPRESSED]) if _raw_name(t) not in images]

    def _images(self, bag: Bag) -> str:
        images = self._cameras(bag)
        if self.topic and self.topic in images:
            return self.topic
        if not self.topic and len(images) == 1:
            return images[0]
        there = ", ".join(images) or "none"
        asked = f"no images on topic {self.topic!r}" if self.topic else "which images"
        raise UsageError(f"bag {self.path}: {asked}: image topics are {there}{bag.because}")


def _raw_name(topic: str) -> str:
    return topic.removesuffix(BELOW_RAW)


def _of_type(bag: Bag, kind: str) -> list[str]:
    return sorted({channel.topic for channel in bag.channels if channel.kind == kind})
