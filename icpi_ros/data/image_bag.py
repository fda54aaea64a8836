"""Camera images out of a ROS 2 bag (MCAP or SQLite), without ROS on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.errors import IcpiError, UsageError
from icpi_ros.perception.images import Frame, decode

IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class ImageBag:
    """Images of one topic of a bag.

    Attributes:
        path: folder of the bag, or its .mcap file.
        topic: of the images; empty = the only one there is.
    """

    path: Path
    topic: str = ""

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Yield stamp [ns] and image, in the order of recording.

        Raises:
            UsageError: no such bag or topic, or it cannot be read.
            InvalidValue: an image whose encoding or size cannot be used.
        """
        with self._opened() as reader:
            for msg in _messages(reader, self._connection(reader)):
                stamp = msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec
                yield stamp, decode(msg.data, msg.width, msg.height, msg.encoding, msg.step)

    def count(self) -> int:
        """Return the number of images.

        Raises:
            UsageError: see :meth:`frames`.
        """
        with self._opened() as reader:
            return int(self._connection(reader).msgcount)

    def info(self) -> Any | None:
        """Return the first CameraInfo message of the images' camera; None if there is none.

        It is published beside the images (``image_transport``): ``left/image_raw`` belongs to
        ``left/camera_info``.  Under another name it is only taken if the bag has just one camera.

        Raises:
            UsageError: see :meth:`frames`, or the bag does not tell which camera_info it is.
        """
        with self._opened() as reader:
            images = self._connection(reader).topic
            infos = {c.topic: c for c in reader.connections if c.msgtype == INFO}
            cameras = {c.topic for c in reader.connections if c.msgtype == IMAGE}
            beside = infos.get(images.rpartition("/")[0] + "/camera_info")
            if beside is None and infos:
                if len(infos) > 1 or len(cameras) > 1:
                    raise UsageError(
                        f"bag {self.path}: no camera_info beside {images}, and which of "
                        f"{', '.join(sorted(infos))} belongs to it is not known"
                    )
                beside = next(iter(infos.values()))
            return None if beside is None else next(_messages(reader, beside), None)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore

        if not self.path.exists():
            raise UsageError(f"there is no bag {self.path}")
        try:
            with AnyReader(
                [self.path], default_typestore=get_typestore(Stores.ROS2_JAZZY)
            ) as reader:
                yield reader
        except IcpiError:
            raise
        except Exception as exc:  # damaged bytes: whatever parsers stumble over, also MemoryError
            why = " ".join(str(exc).split()) or type(exc).__name__
            raise UsageError(f"cannot read bag {self.path}: {why[:200]}") from exc

    def _connection(self, reader: Any) -> Any:
        images = {c.topic: c for c in reader.connections if c.msgtype == IMAGE}
        if self.topic and self.topic in images:
            return images[self.topic]
        if not self.topic and len(images) == 1:
            return next(iter(images.values()))
        there = ", ".join(sorted(images)) or "none"
        asked = f"no images on topic {self.topic!r}" if self.topic else "which images"
        raise UsageError(f"bag {self.path}: {asked}: image topics are {there}")


def _messages(reader: Any, connection: Any) -> Iterator[Any]:
    for at, _, raw in reader.messages(connections=[connection]):
        yield reader.deserialize(raw, at.msgtype)
