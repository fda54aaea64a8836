"""Boards: printed at true size, found in an image, refused when impossible."""

import re
import struct

import cv2
import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.perception.calibration.board import (
    INCH,
    MARGIN,
    RULER,
    Board,
    dictionary,
    png,
    save_board,
    svg,
    texture,
)

BOARDS = [Board(), Board("chessboard", 9, 6, 0.025), Board("charuco", 5, 8, 0.03, 0.02, "5x5_100")]


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_a_printed_board_is_found_where_it_was_printed(board):
    dpi = 254
    pixels, ids = board.detect(texture(board, dpi))
    assert len(ids) == len(board.corners)
    expected = (board.corners[ids, :2] + MARGIN) * dpi / INCH - 0.5
    off = np.linalg.norm(pixels - expected, axis=1).max()
    turned = np.linalg.norm(pixels[::-1] - expected, axis=1).max()
    assert off < 0.2 or (board.kind == "chessboard" and turned < 0.2)


def test_a_charuco_board_is_opencvs():
    """So that other programs find it too."""
    board = Board("charuco", 7, 5, 0.04, 0.03, "4x4_50")
    other = cv2.aruco.CharucoBoard((7, 5), 0.04, 0.03, dictionary("4x4_50"))
    ours = texture(board, 254)[120 : 120 + 2000, 120 : 120 + 2800]
    assert (other.generateImage((2800, 2000)) != ours).mean() < 1e-3


def test_a_png_says_its_resolution_and_opens(tmp_path):
    said = save_board(tmp_path / "board.png", Board(), 300)
    data = (tmp_path / "board.png").read_bytes()
    at = data.index(b"pHYs")
    assert struct.unpack(">IIB", data[at + 4 : at + 13]) == (11811, 11811, 1)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image.shape[1] == round((0.245 + 2 * MARGIN) * 300 / INCH)
    assert "269 x 199 mm at 300 dpi" in said


def test_a_png_is_whole():
    """Every chunk's checksum is right: strict readers open it."""
    import zlib

    data, at = png(Board(), 100), 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(body)
        at += 12 + length


@pytest.mark.parametrize("board", BOARDS)
def test_an_svg_has_the_same_ink(board):
    text = svg(board)
    width = float(re.search(r'width="([\d.]+)mm"', text)[1])
    assert width == pytest.approx(1e3 * (max(board.size[0], 0.19) + 2 * MARGIN), abs=1e-2)
    shapes = re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", text)
    ink = sum(float(w) * float(h) for _, _, w, h in shapes)
    squares = sum(1e6 * w * h for _, _, w, h in board.rectangles())
    assert ink == pytest.approx(squares + 1e6 * (RULER * 0.0004 + 2 * 0.0004 * 0.003), rel=1e-3)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"kind": "dots"}, "dots"),
        ({"columns": 3}, "3 x 5"),
        ({"square": float("nan")}, "nan"),
        ({"square": 0.0}, "1 to 1000 mm"),
        ({"marker": 0.034}, "markers"),
        ({"family": "7x7_9"}, "7x7_9"),
        ({"columns": 20, "rows": 20}, "200"),
    ],
)
def test_an_impossible_board_is_refused(values, word):
    with pytest.raises((InvalidValue, UnknownName), match=word):
        Board(**values)


def test_a_board_is_written_as_png_or_svg_only(tmp_path):
    with pytest.raises(UsageError, match=r"png or .svg"):
        save_board(tmp_path / "board.pdf", Board(), 300)
    with pytest.raises(UsageError, match="too large"):
        save_board(tmp_path / "b.png", Board("chessboard", 30, 30, 1.0), 2400)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_board_is_found_where_there_is_none(board, level):
    assert len(board.detect(np.full((240, 320), level, np.uint8))[1]) == 0
