"""Samples of sensors out of a bag of any kind, in time order; no ROS."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.bags.formats.raw import RawMessage
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import IMAGE, INFO, POSE, TYPES
from icpi_ros.bags.trial_message import MAX_VALUE
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.types import SECOND, Array, Indices
from icpi_ros.perception.images import Frame, frame_of
from icpi_ros.perception.sources import SOURCES, ImageSample, PoseSample, Sample, Source

_HEAD = struct.Struct("<iII")


def stream_samples(
    bag: Bag, source: str, windows: Sequence[RecordedTrial] | None = None, margin: float = 0.0
) -> Iterator[Sample]:
    """Yield samples in the order of recording; one pass, one image in memory at a time.

    Args:
        bag: to read.
        source: of :data:`SOURCES`, as the parameter of node ``perception``.
        windows: only what is stamped inside one of these windows; None = everything.
        margin: how much more before and after each window [s].

    Raises:
        UsageError: the bag has no such topic.
    """
    wanted = None if windows is None else _Spans(windows, round(margin * SECOND))
    kind = require_source(bag, source)
    if kind.topic == POSE:
        yield from _poses(bag, wanted)
    elif kind.topic == IMAGE:
        yield from _images(bag, wanted)
    else:
        yield from _others(bag, kind, wanted)


def has_source(bag: Bag, source: str) -> bool:
    """Return whether the bag has the topic of a source of :data:`SOURCES`."""
    kind = SOURCES.get(source)
    return bag.look_for(kind.topic, kind.message_type)


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


class _Spans:
    """Test of stamps for being inside one of some windows."""

    def __init__(self, windows: Sequence[RecordedTrial], margin: int) -> None:
        spans = sorted((w.start - margin, w.stop + margin) for w in windows if w.stop)
        self._starts = np.array([start for start, _ in spans], dtype=np.int64)
        stops = np.array([stop for _, stop in spans], dtype=np.int64)
        self._stops = np.maximum.accumulate(stops) if len(stops) else stops

    def hold(self, ns: int) -> bool:
        """Return whether stamp ``ns`` [ns] is inside one."""
        before = int(np.searchsorted(self._starts, ns, side="right"))
        return before > 0 and ns <= int(self._stops[before - 1])


def _stamped(bag: Bag, topic: str, wanted: _Spans | None) -> Iterator[tuple[int, RawMessage]]:
    """Yield the wanted messages of a topic with their stamps [ns]."""
    for message in bag.raw((topic,)):
        ns = stamp_of(message)
        if ns is not None and (wanted is None or wanted.hold(ns)):
            yield ns, message


def _poses(bag: Bag, wanted: _Spans | None) -> Iterator[PoseSample]:
    for ns, message in _stamped(bag, bag.topics[POSE], wanted):
        position = _position(message)
        if position is None or np.any(np.abs(position) > MAX_VALUE):
            bag.note(f"{message.channel.topic}: a pose that cannot be read is skipped")
        else:
            yield PoseSample(ns, position)


def _images(bag: Bag, wanted: _Spans | None) -> Iterator[ImageSample]:
    images, info = bag.topics[IMAGE], None
    for message in bag.raw([topic for topic in (images, bag.topics.get(INFO)) if topic]):
        if message.channel.topic != images:
            info = bag.decode(message) or info
            continue
        ns = stamp_of(message)
        if ns is None or (wanted is not None and not wanted.hold(ns)):
            continue
        msg = bag.decode(message)
        if msg is None:
            continue
        try:
            frame = frame_of(msg)
        except InvalidValue as exc:
            bag.note(f"{images}: an image is skipped: {exc}")
            continue
        yield ImageSample(ns, frame, info)


def _others(bag: Bag, kind: type[Source], wanted: _Spans | None) -> Iterator[Sample]:
    for _, message in _stamped(bag, bag.topics[kind.topic], wanted):
        msg = bag.decode(message)
        if msg is None:
            continue
        try:
            yield kind.read(msg)
        except InvalidValue as exc:
            bag.note(f"{message.channel.topic}: a message is skipped: {exc}")


def stamp_of(message: RawMessage) -> int | None:
    """Return the stamp of a message that begins with a header [ns]; None if it is cut off."""
    if len(message.data) < 4 + _HEAD.size:
        return None
    order = "<" if message.data[1] & 1 else ">"
    sec, nanosec = struct.unpack_from(order + "iI", message.data, 4)
    return int(sec) * SECOND + int(nanosec)


def _position(message: RawMessage) -> Array | None:
    """Return the position of a serialised PoseStamped, without the price of a full decoder.

    Its layout is fixed: encapsulation, stamp, frame with its length, then doubles on multiples of
    eight bytes after the encapsulation.
    """
    data = message.data
    order = "<" if data[1] & 1 else ">"
    (length,) = struct.unpack_from(order + "I", data, 12)
    at = 4 + (12 + length + 7) // 8 * 8
    if at + 56 > len(data):
        return None
    return np.array(struct.unpack_from(order + "ddd", data, at))


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
        images = self._images(bag)
        infos, cameras = _of_type(bag, TYPES[INFO]), _of_type(bag, TYPES[IMAGE])
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

    def _images(self, bag: Bag) -> str:
        images = _of_type(bag, TYPES[IMAGE])
        if self.topic and self.topic in images:
            return self.topic
        if not self.topic and len(images) == 1:
            return images[0]
        there = ", ".join(images) or "none"
        asked = f"no images on topic {self.topic!r}" if self.topic else "which images"
        raise UsageError(f"bag {self.path}: {asked}: image topics are {there}{bag.because}")


def _of_type(bag: Bag, kind: str) -> list[str]:
    return sorted({channel.topic for channel in bag.channels if channel.kind == kind})
