"""A calibration board as a file to print at true size: PNG with its resolution, or SVG."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.html import template
from icpi_ros.perception.calibration.board import Board, Gray

MARGIN = 0.012
"""White around the pattern [m]; detection needs it."""
FOOTER = 0.012
"""Height of the line with the description and the ruler [m]."""
RULER = 0.1
"""Length of the line that shows whether the printer kept the size [m]."""
INCH = 0.0254
MAX_PIXELS = 200_000_000


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
