"""A printed calibration board: its pattern, its corners in an image, and its file to print.

Board frame: origin at the upper left corner of the pattern, x right, y down, z into the board, as
``cv2.aruco.CharucoBoard`` has it since OpenCV 4.6.  It is printed at true size, from a PNG with
its resolution or an SVG.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.html import template
from icpi_ros.core.types import Array, Indices

Gray = NDArray[np.uint8]
"""``(height, width)`` image."""

DICTIONARIES = {
    name.removeprefix("DICT_").lower(): getattr(cv2.aruco, name)
    for name in dir(cv2.aruco)
    if name.startswith("DICT_") and name.lower() != "dict_aruco_original"
}
"""Marker families by name, for example ``4x4_50`` or ``apriltag_36h11``."""

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height [m]."""
MARGIN = 0.012
"""White around the pattern [m]; detection needs it."""
FOOTER = 0.012
"""Height of the line with the description and the ruler [m]."""
RULER = 0.1
"""Length of the line that shows whether the printer kept the size [m]."""
INCH = 0.0254
"""Length of an inch [m]."""
MAX_PIXELS = 200_000_000


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


class BoardKind(StrEnum):
    """Kinds of boards: a chessboard with markers in its white squares, and one without."""

    CHARUCO = "charuco"
    CHESSBOARD = "chessboard"


@dataclass(frozen=True)
class Board:
    """A chessboard, with or without markers in its white squares.

    Attributes:
        kind: with or without markers.
        columns: squares in a row.
        rows: squares in a column.
        square: side of a square [m].
        marker: side of a marker with its black border [m]; only for ``charuco``.
        family: marker dictionary; only for ``charuco``.
    """

    kind: BoardKind = BoardKind.CHARUCO
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
        if self.kind not in tuple(BoardKind):
            raise UnknownName("board kind", self.kind, tuple(BoardKind))
        if not (4 <= self.columns <= 40 and 4 <= self.rows <= 40):
            raise InvalidValue(
                f"board of {self.columns} x {self.rows} squares: allowed are 4 to 40 each"
            )
        if not 0.001 <= self.square <= 1.0:
            raise InvalidValue(f"squares of {1e3 * self.square:g} mm: allowed are 1 to 1000 mm")
        if self.kind == BoardKind.CHARUCO:
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
        if self.kind == BoardKind.CHARUCO:
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
        return squares + (self._marker_rectangles() if self.kind == BoardKind.CHARUCO else [])

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
        if self.kind == BoardKind.CHARUCO:
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


def save_board(path: Path, board: Board, dpi: int) -> str:
    """Write the board; return one line about size and resolution.

    Raises:
        UsageError: the file's ending is neither .png nor .svg, or the picture would be huge.
    """
    width, height = _page(board)
    size = f"{width * 1e3:.0f} x {height * 1e3:.0f} mm"
    if path.suffix.lower() == ".svg":
        with replacing(path) as temporary:
            temporary.write_text(svg(board), encoding="utf-8")
        return f"{size}, vector graphics"
    if path.suffix.lower() != ".png":
        raise UsageError(f"cannot write {path}: the board is written as .png or .svg")
    if width * height * (dpi / INCH) ** 2 > MAX_PIXELS:
        raise UsageError(f"{size} at {dpi} dpi is too large a picture: write .svg or use fewer dpi")
    with replacing(path) as temporary:
        temporary.write_bytes(png(board, dpi))
    return f"{size} at {dpi} dpi"


def texture(board: Board, dpi: int) -> Gray:
    """Return the page as pixels; the pattern begins ``MARGIN`` from the left and the top.

    Edges are rounded to whole pixels: 0.04 mm at 300 dpi.
    """
    scale = dpi / INCH
    width, height = _page(board)
    page = np.full((round(height * scale), round(width * scale)), 255, dtype=np.uint8)
    for left, top, across, down in board.rectangles():
        _fill(page, scale, left + MARGIN, top + MARGIN, across, down)
    base = height - 0.5 * FOOTER
    for left, top, across, down in _ruler(base):
        _fill(page, scale, left, top, across, down)
    _write(page, scale, base, _label(board))
    return page


def png(board: Board, dpi: int) -> bytes:
    """Return the page as PNG that carries its resolution (chunk pHYs, PNG specification 11.3.5)."""
    raw = cv2.imencode(".png", texture(board, dpi))[1].tobytes()
    per_metre = round(dpi / INCH)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 8 + 25  # signature, IHDR
    return raw[:after_header] + chunk + raw[after_header:]


def svg(board: Board) -> str:
    """Return the page as SVG in millimetres."""
    width, height = (1e3 * side for side in _page(board))
    base = height - 0.5e3 * FOOTER
    moved = [(x + MARGIN, y + MARGIN, w, h) for x, y, w, h in board.rectangles()]
    shapes = "".join(
        f"M{1e3 * x:.4f} {1e3 * y:.4f}h{1e3 * w:.4f}v{1e3 * h:.4f}h{-1e3 * w:.4f}z"
        for x, y, w, h in moved + _ruler(base * 1e-3)
    )
    return template("board.svg").render(
        width=f"{width:.3f}",
        height=f"{height:.3f}",
        shapes=shapes,
        left=f"{1e3 * (MARGIN + RULER + 0.004):.2f}",
        base=f"{base + 1.0:.2f}",
        label=_label(board),
    )


def _page(board: Board) -> tuple[float, float]:
    width, height = board.size
    return max(width, 0.19) + 2 * MARGIN, height + MARGIN + FOOTER


def _label(board: Board) -> str:
    return f"line: 100 mm; {board.summary}"


def _ruler(base: float) -> list[tuple[float, float, float, float]]:
    thin = 0.0004
    line = (MARGIN, base - thin / 2, RULER, thin)
    ends = [(MARGIN + x, base - 0.0015, thin, 0.003) for x in (0.0, RULER - thin)]
    return [line, *ends]


def _fill(page: Gray, scale: float, left: float, top: float, across: float, down: float) -> None:
    x0, x1 = round(left * scale), round((left + across) * scale)
    y0, y1 = round(top * scale), round((top + down) * scale)
    page[y0:y1, x0:x1] = 0


def _write(page: Gray, scale: float, base: float, text: str) -> None:
    """Write text beside the ruler, 2 mm high capitals."""
    size = 0.002 * scale / 21.0  # capitals of this font are 21 px high at scale 1
    place = round((MARGIN + RULER + 0.004) * scale), round((base + 0.001) * scale)
    thick = max(1, round(1.5 * size))
    cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, 0, thick, cv2.LINE_AA)
