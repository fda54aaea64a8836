"""Camera images and calibrations as messages; beside :mod:`icpi_ros.ros.base.convert`."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from icpi_ros.perception.camera import Camera
from icpi_ros.ros.base.convert import header

RGB8 = "rgb8"


class ImageBuffer:
    """An ``rgb8`` message whose pixels are written in place.

    Assigning a list or a memoryview to ``Image.data`` takes 15 to 26 ms; this takes 0.02 ms.
    """

    def __init__(self, width: int, height: int, frame: str) -> None:
        self.size = width, height
        self.message = Image(
            header=header(0, frame),
            height=height,
            width=width,
            encoding=RGB8,
            step=3 * width,
            data=array("B", bytes(3 * width * height)),
        )
        self._frame = frame
        self._pixels = np.frombuffer(self.message.data, np.uint8).reshape(height, width, 3)

    def fill(self, ns: int, image: NDArray[np.uint8]) -> Image:
        """Return the message with an image ``(h, w, 3)``, stamped; the next call reuses it."""
        self._pixels[:] = image
        self.message.header = header(ns, self._frame)
        return self.message


def camera_info_msg(ns: int, camera: Camera) -> CameraInfo:
    """Return the intrinsics of a camera as a message; no rectification, one camera alone."""
    matrix = camera.intrinsics.matrix
    return CameraInfo(
        header=header(ns, camera.frame),
        height=camera.intrinsics.height,
        width=camera.intrinsics.width,
        distortion_model=camera.intrinsics.model,
        d=camera.intrinsics.distortion.tolist(),
        k=matrix.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.column_stack([matrix, np.zeros(3)]).ravel().tolist(),
    )
