"""Calibrate a camera (print a board, intrinsics, where it stands) or the simulated physics."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

from icpi_ros.cli.arguments import checked_output, checked_picture
from icpi_ros.cli.calibrate_inputs import board_views, known_points, one_image
from icpi_ros.cli.calibrate_report import camera_json, camera_text, now, table_json, table_text
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.perception.calibration.board import Board, BoardKind, Gray, save_board
from icpi_ros.perception.calibration.camera_pose import CameraPoseResult, locate
from icpi_ros.perception.calibration.file import (
    Calibration,
    CalibrationOrigin,
    load,
    require_size,
    save,
)
from icpi_ros.perception.calibration.intrinsics import IntrinsicsResult, calibrate
from icpi_ros.perception.calibration.picture import save_camera_picture, save_table_picture


def _board(args: argparse.Namespace) -> Board:
    across, _, down = args.squares.lower().partition("x")
    if not (across.isdecimal() and down.isdecimal()):
        raise UsageError(f"--squares {args.squares!r}: expected COLUMNSxROWS, for example 7x5")
    marker = args.square * 26 / 35 if args.marker_size is None else args.marker_size
    return Board(
        BoardKind(args.board), int(across), int(down), args.square, marker, args.dictionary
    )


def _outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written, before any work."""
    checked_output(args.out)
    if args.picture and args.picture.absolute() == args.out.absolute():
        raise UsageError(f"--out and --picture are both {args.out}")
    if args.picture:
        checked_picture(args.picture)


def print_board(args: argparse.Namespace) -> int:
    """Write the board."""
    board = _board(args)
    said = save_board(checked_output(args.out), board, args.dpi)
    print(f"{board.summary}\n{args.out}: {said}")
    if args.json:
        args.json.write({**vars(board), "file": str(args.out), "print": said})
    print("print it at 100 %, glue it on something flat, and measure the line and a square")
    return 0


def calibrate_camera(args: argparse.Namespace) -> int:
    """Take views, calibrate, write, say how good it is."""
    board = _board(args)
    _outputs(args)
    taken = board_views(args, board)
    result = calibrate(board, taken.views)
    worst = float(result.residuals.max())
    made = CalibrationOrigin(
        how=f"icpi calibrate camera: {board.summary}; {taken.source}",
        date=now(),
        samples=len(result.views),
        residual_px=result.rms,
        residual_mm=result.residual_mm,
        worst_px=worst,
    )
    save(args.out, Calibration(result.intrinsics, made))
    print(camera_text(result, taken.looked_at))
    if args.json:
        args.json.write({"images": taken.looked_at, **camera_json(result)})
    if args.picture:
        _draw_camera(args.picture, board, result, taken.images)
    print(f"written: {args.out}; next: icpi calibrate table --camera {args.out} ...")
    return 0


def _draw_camera(
    path: Path, board: Board, result: IntrinsicsResult, images: dict[str, Gray]
) -> None:
    worst = result.views[int(result.residuals.argmax())]
    save_camera_picture(path, board, result, images[worst.name])
    print(f"picture: {path}")


def click_points(args: argparse.Namespace) -> int:
    """Write the page with an image in which points are clicked."""
    from icpi_ros.report.page import save as save_page
    from icpi_ros.report.points_page import points_page

    checked_output(args.out)
    image, source = one_image(args)
    if args.camera:
        require_size(load(args.camera).intrinsics, image.shape[1], image.shape[0], source)
    camera = quote(str(args.camera or "camera.yaml"))
    command = f"icpi calibrate table --camera {camera} --points points.csv --out {camera}"
    save_page(args.out, points_page(image, source, command))
    if args.json:
        args.json.write({"page": str(args.out), "image": source, "command": command})
    then = "open it in a browser, click the marks, save points.csv; then:"
    print(printable(f"written: {args.out}; {then}"))
    print(printable(command))
    return 0


def calibrate_table(args: argparse.Namespace) -> int:
    """Read what is known, locate the camera, write, say how good it is."""
    _outputs(args)
    before = load(args.camera)
    known = known_points(args, before.intrinsics)
    result = locate(before.intrinsics, known.points, args.frame)
    placed = CalibrationOrigin(
        how=f"icpi calibrate table: {known.source}",
        date=now(),
        samples=len(known.points.names),
        residual_px=result.rms_px,
        residual_mm=result.rms_mm,
        worst_px=float(result.residuals_px.max()),
    )
    save(args.out, Calibration(before.intrinsics, before.made, result.camera, placed))
    print(table_text(result))
    if args.json:
        args.json.write(table_json(result))
    if args.picture:
        _draw_table(args.picture, result, known.image)
    print(f"written: {args.out}")
    return 0


def _draw_table(path: Path, result: CameraPoseResult, image: Gray | None) -> None:
    save_table_picture(path, result, image)
    print(f"picture: {path}")
