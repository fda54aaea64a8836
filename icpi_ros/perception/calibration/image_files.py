"""Images from files, as grey levels."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.perception.calibration.board import Gray

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
MAX_FILES = 2000
"""Most files of one call."""


def image_paths(where: str) -> list[Path]:
    """Return the images of a folder, of a pattern like ``views/*.png``, or one file, sorted.

    Raises:
        UsageError: there are none, or far too many.
    """
    folder = Path(where)
    if folder.is_dir():
        found = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
    else:
        found = [path for path in map(Path, glob.glob(where)) if path.is_file()]
    if not found:
        raise UsageError(
            f"no images in {where!r}: name a folder with {', '.join(ENDINGS[:3])} files, or a "
            "pattern in quotes such as 'views/*.png'"
        )
    if len(found) > MAX_FILES:
        raise UsageError(f"{len(found)} images in {where!r}: at most {MAX_FILES}, choose some")
    return sorted(found)


def read_images(where: str) -> Iterator[tuple[str, Gray]]:
    """Yield name and grey levels of each image of ``where``.

    Raises:
        UsageError: see :func:`image_paths`, or a file is not an image.
    """
    # Not turned by EXIF: all images must be as the sensor sees them.
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    for path in image_paths(where):
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        image = cv2.imdecode(content, flags) if len(content) else None
        if image is None:
            raise UsageError(f"{path} is not an image, or damaged: remove it")
        yield path.name, np.asarray(image, dtype=np.uint8)
