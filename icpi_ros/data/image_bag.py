"""Camera images out of a bag of any kind, without ROS on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.data.bags.reader import Bag
from icpi_ros.data.bags.samples import stamp_of
from icpi_ros.errors import UsageError
from icpi_ros.perception.images import Frame, frame_of

IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class ImageBag:
    """Images of one topic of a bag.

    Attributes:
        path: folder of the bag, or its .mcap or .db3 file.
        topic: of the images; empty = the only one there is.
    """

    path: Path
    topic: str = ""

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
            raise UsageError(f"cannot read bag {self.path}: {bag.skipped[0]}")

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
            UsageError: see :meth:`frames`, or the bag does not tell which camera_info it is.
        """
        bag = self._opened()
        images = self._images(bag)
        infos, cameras = _topics(bag, INFO), _topics(bag, IMAGE)
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
        images = _topics(bag, IMAGE)
        if self.topic and self.topic in images:
            return self.topic
        if not self.topic and len(images) == 1:
            return images[0]
        there = ", ".join(images) or "none"
        asked = f"no images on topic {self.topic!r}" if self.topic else "which images"
        raise UsageError(f"bag {self.path}: {asked}: image topics are {there}")


def _topics(bag: Bag, kind: str) -> list[str]:
    return sorted({channel.topic for channel in bag.channels if channel.kind == kind})
