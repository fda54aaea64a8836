"""Views of a calibration board, the choice of those that differ, and their image files."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import read_file
from icpi_ros.core.types import Array, Indices
from icpi_ros.perception.calibration.board import Board, Gray

MIN_CORNERS = 8
"""A view with fewer corners determines little and its pose is uncertain."""
NEW_PLACE_DISTANCE = 0.04
"""Views whose outlines differ by less than this share of the image's diagonal are the same."""
STILL_DISTANCE = 0.004
"""A board whose outline moves by less between two frames is held still [diagonals]."""
GRID = 8, 6
"""Cells of the image, across and down, in which coverage is counted."""
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
MAX_FILES = 2000
"""Most files of one call."""
MAX_IMAGE_FILE = 256 * 2**20
"""Largest of them [B]."""


@dataclass(frozen=True)
class View:
    """The board in one image.

    Attributes:
        name: of the image, for messages.
        pixels: ``(n, 2)`` corners.
        ids: ``(n,)`` rows of ``Board.corners``.
        size: width and height of the image [px].
        outline: ``(4, 2)`` where the pattern's corners are, in diagonals of the image; without
            distortion, so only good for comparing.
    """

    name: str
    pixels: Array
    ids: Indices
    size: tuple[int, int]
    outline: Array

    def distance(self, other: View) -> float:
        """Return how far the outline's farthest corner is from that in ``other`` [diagonals]."""
        turned = np.roll(other.outline, 2, axis=0)  # a chessboard may be found upside down
        return float(
            min(np.linalg.norm(self.outline - one, axis=1).max() for one in (other.outline, turned))
        )


def see(board: Board, image: Gray, name: str) -> View | None:
    """Return the view of ``board`` in an image; None if too little of it is seen."""
    pixels, ids = board.detect(image)
    if len(ids) < MIN_CORNERS:
        return None
    flat = board.corners[ids, :2]
    if np.ptp(flat, axis=0).min() < 0.5 * board.square:  # one row: no homography
        return None
    homography: Any = cv2.findHomography(flat, pixels)[0]  # None if there is none
    if homography is None:
        return None
    height, width = image.shape
    outline = cv2.perspectiveTransform(board.outline.reshape(-1, 1, 2), homography)
    scaled = np.asarray(outline, dtype=np.float64).reshape(4, 2) / np.hypot(width, height)
    return View(name, pixels, ids, (width, height), scaled)


def is_new(view: View, taken: Sequence[View]) -> bool:
    """Return whether the board is at another place or tilt than in all views ``taken``."""
    return all(view.distance(one) >= NEW_PLACE_DISTANCE for one in taken)


def diverse(views: Sequence[View], limit: int) -> list[View]:
    """Return at most ``limit`` views that are far from each other, the fullest one first.

    Farthest-point selection; views of a place that is there already are left out.
    """
    if not views:
        return []
    chosen = [max(views, key=lambda one: len(one.ids))]
    nearest = np.array([one.distance(chosen[0]) for one in views])
    while len(chosen) < limit and nearest.max() >= NEW_PLACE_DISTANCE:
        chosen.append(views[int(nearest.argmax())])
        nearest = np.minimum(nearest, [one.distance(chosen[-1]) for one in views])
    return chosen


def cells(views: Sequence[View]) -> Array:
    """Return how many corners fall in each cell of the image, ``(down, across)``."""
    across, down = GRID
    counts = np.zeros((down, across))
    for view in views:
        column = (view.pixels[:, 0] / view.size[0] * across).astype(int).clip(0, across - 1)
        row = (view.pixels[:, 1] / view.size[1] * down).astype(int).clip(0, down - 1)
        np.add.at(counts, (row, column), 1)
    return counts


def coverage(views: Sequence[View]) -> float:
    """Return the share of the image's cells that hold a corner of some view, 0 to 1."""
    return float((cells(views) > 0).mean())


class ViewCollector:
    """Collector of views of a live stream: one whenever the board is held still at a new place."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self._last: View | None = None

    def offer(self, view: View | None) -> bool:
        """Look at the newest view, None if the board is not seen; return whether it was taken."""
        last, self._last = self._last, view
        if view is None or last is None or view.distance(last) > STILL_DISTANCE:
            return False
        if not is_new(view, self.views):
            return False
        self.views.append(view)
        return True


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
        try:
            content = np.frombuffer(read_file(path, MAX_IMAGE_FILE), dtype=np.uint8)
        except OSError as exc:
            raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from exc
        image = cv2.imdecode(content, flags) if len(content) else None
        if image is None:
            raise UsageError(f"{path} is not an image, or damaged: remove it")
        yield path.name, np.asarray(image, dtype=np.uint8)
