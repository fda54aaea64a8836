"""A printed calibration board: its pattern, and its corners in an image.

Board frame: origin at the upper left corner of the pattern, x right, y down, z into the board, as
``cv2.aruco.CharucoBoard`` has it since OpenCV 4.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue, UnknownName
from icpi_ros.core.types import Array, Indices

Gray = NDArray[np.uint8]
"""``(height, width)`` image."""

KINDS = ("charuco", "chessboard")
DICTIONARIES = {
    name.removeprefix("DICT_").lower(): getattr(cv2.aruco, name)
    for name in dir(cv2.aruco)
    if name.startswith("DICT_") and name.lower() != "dict_aruco_original"
}
"""Marker families by name, for example ``4x4_50`` or ``apriltag_36h11``."""

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height [m]."""


def dictionary(name: str) -> cv2.aruco.Dictionary:
    """Return the markers of a family.

    Raises:
        UnknownName: there is none of this name.
    """
    key = name.lower().removeprefix("dict_")
    if key not in DICTIONARIES:
        raise UnknownName("marker dictionary", name, DICTIONARIES)
    return cv2.aruco.getPredefinedDictionary(DICTIONARIES[key])


def modules(family: cv2.aruco.Dictionary, number: int) -> NDArray[np.bool_]:
    """Return the modules of a marker with its black border, True = black."""
    side = family.markerSize + 2
    return np.asarray(family.generateImageMarker(number, side)) < 128


@dataclass(frozen=True)
class Board:
    """A chessboard, with or without markers in its white squares.

    Attributes:
        kind: ``charuco`` or ``chessboard``.
        columns: squares in a row.
        rows: squares in a column.
        square: side of a square [m].
        marker: side of a marker with its black border [m]; only for ``charuco``.
        family: marker dictionary; only for ``charuco``.
    """

    kind: str = "charuco"
    columns: int = 7
    rows: int = 5
    square: float = 0.035
    marker: float = 0.026
    family: str = "4x4_50"

    def __post_init__(self) -> None:
        """Refuse what cannot be printed or detected.

        Raises:
            InvalidValue: sizes that do not fit together; names them.
            UnknownName: no such kind or dictionary.
        """
        if self.kind not in KINDS:
            raise UnknownName("board kind", self.kind, KINDS)
        if not (4 <= self.columns <= 40 and 4 <= self.rows <= 40):
            raise InvalidValue(
                f"board of {self.columns} x {self.rows} squares: allowed are 4 to 40 each"
            )
        if not 0.001 <= self.square <= 1.0:
            raise InvalidValue(f"squares of {1e3 * self.square:g} mm: allowed are 1 to 1000 mm")
        if self.kind == "charuco":
            self._check_markers()

    def _check_markers(self) -> None:
        if not 0.3 * self.square <= self.marker <= 0.9 * self.square:
            marker, square = 1e3 * self.marker, 1e3 * self.square
            raise InvalidValue(
                f"markers of {marker:g} mm in squares of {square:g} mm: allowed are "
                f"{0.3 * square:g} to {0.9 * square:g} mm (0.3 to 0.9 squares)"
            )
        there = len(dictionary(self.family).bytesList)
        if self.columns * self.rows // 2 > there:
            raise InvalidValue(
                f"{self.columns} x {self.rows} squares need {self.columns * self.rows // 2} "
                f"markers, dictionary {self.family} has {there}: choose a larger one"
            )

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the pattern [m]."""
        return self.columns * self.square, self.rows * self.square

    @property
    def summary(self) -> str:
        """One line that describes this board to `icpi calibrate camera`."""
        text = f"{self.kind} {self.columns}x{self.rows}, squares {self.square * 1e3:g} mm"
        if self.kind == "charuco":
            text += f", markers {self.marker * 1e3:g} mm, {self.family}"
        return text

    @property
    def corners(self) -> Array:
        """``(n, 3)`` inner corners in the board frame [m], row by row; the row is the id."""
        grid = np.mgrid[1 : self.rows, 1 : self.columns].reshape(2, -1)[::-1].T * self.square
        return np.column_stack([grid, np.zeros(len(grid))])

    @property
    def outline(self) -> Array:
        """``(4, 2)`` corners of the pattern in the board frame [m]."""
        width, height = self.size
        return np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])

    def rectangles(self) -> list[Rectangle]:
        """Return everything that is printed black."""
        side = self.square
        squares: list[Rectangle] = [
            (column * side, row * side, side, side)
            for row in range(self.rows)
            for column in range(row % 2, self.columns, 2)
        ]
        return squares + (self._marker_rectangles() if self.kind == "charuco" else [])

    def _marker_rectangles(self) -> list[Rectangle]:
        family, found = dictionary(self.family), list[Rectangle]()
        places = self._charuco.getObjPoints()
        for number, place in zip(np.asarray(self._charuco.getIds()).ravel(), places, strict=True):
            left, top = float(place[0][0]), float(place[0][1])
            black = modules(family, int(number))
            step = self.marker / len(black)
            for row, line in enumerate(black):
                found += [
                    (left + first * step, top + row * step, (last - first) * step, step)
                    for first, last in _runs(line)
                ]
        return found

    @cached_property
    def _charuco(self) -> cv2.aruco.CharucoBoard:
        return cv2.aruco.CharucoBoard(
            (self.columns, self.rows), self.square, self.marker, dictionary(self.family)
        )

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        return cv2.aruco.CharucoDetector(self._charuco, cv2.aruco.CharucoParameters(), parameters)

    def detect(self, image: Gray) -> tuple[Array, Indices]:
        """Return the corners that are seen: pixels ``(n, 2)`` and ids ``(n,)``; n may be 0.

        A chessboard is seen whole or not at all; a ChArUco board may be partly hidden.
        """
        if self.kind == "charuco":
            # OpenCV's stubs do not know that there may be nothing.
            corners, ids = cast("tuple[Any, Any]", self._detector.detectBoard(image)[:2])
            if ids is None or corners is None:
                return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
            return _pixels(corners), np.asarray(ids, dtype=np.int64).ravel()
        flags = cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_NORMALIZE_IMAGE
        seen, corners = cv2.findChessboardCornersSB(
            image, (self.columns - 1, self.rows - 1), flags=flags
        )
        if not seen:
            return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
        return _pixels(corners), np.arange(len(corners), dtype=np.int64)


def _pixels(corners: Any) -> Array:
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2)


def _runs(line: Sequence[bool] | NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where runs of True begin and end."""
    steps = np.flatnonzero(
        np.diff(np.concatenate([[False], np.asarray(line), [False]]).astype(int))
    )
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]
