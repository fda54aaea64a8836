"""Calibrate a camera (print a board, intrinsics, where it stands) or the simulated physics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import checked_output, checked_picture, length, number, ros_name, whole
from icpi_ros.cli.calibrate_known import known_points
from icpi_ros.cli.calibrate_physics import add_physics
from icpi_ros.cli.calibrate_report import camera_json, camera_text, now, table_json, table_text
from icpi_ros.cli.calibrate_views import board_views
from icpi_ros.cli.json_output import add_json
from icpi_ros.core.errors import UsageError
from icpi_ros.perception.calibration.board import Board
from icpi_ros.perception.calibration.board_print import save_board
from icpi_ros.perception.calibration.camera_pose import locate
from icpi_ros.perception.calibration.file import Calibration, CalibrationOrigin, load, save
from icpi_ros.perception.calibration.intrinsics import calibrate
from icpi_ros.perception.calibration.picture import save_camera_picture, save_table_picture

if TYPE_CHECKING:
    from icpi_ros.perception.calibration.board import Gray
    from icpi_ros.perception.calibration.camera_pose import CameraPoseResult
    from icpi_ros.perception.calibration.intrinsics import IntrinsicsResult

CAMERA_VIEWS = 20
TABLE_VIEWS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``board``, ``camera``, ``table`` and ``physics``."""
    verbs = parser.add_subparsers(required=True, metavar="board|camera|table|physics")
    add_physics(verbs.add_parser("physics", help="hidden physics, from recorded trials"))
    board = verbs.add_parser("board", help="write a board to print at true size")
    _add_board(board)
    board.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png or .svg")
    board.add_argument("--dpi", type=whole(72, 2400), default=300, help="of the PNG (default: 300)")
    add_json(board, "what was drawn")
    board.set_defaults(run=print_board)

    camera = verbs.add_parser("camera", help="intrinsics, from views of the printed board")
    _add_source(camera, required=True)
    _add_board(camera)
    _add_live(camera, 8, CAMERA_VIEWS, "views of --topic")
    _add_outputs(camera)
    add_json(camera, "intrinsics and residuals")
    camera.set_defaults(run=calibrate_camera)

    table = verbs.add_parser("table", help="pose to frame base, from known points or markers")
    table.add_argument(
        "--camera", type=Path, required=True, metavar="FILE", help="intrinsics: YAML of `camera`"
    )
    _add_known(table)
    _add_source(table, required=False)
    _add_live(table, 1, TABLE_VIEWS, "images of --topic")
    table.add_argument(
        "--frame", default="camera_optical", help="optical frame (default: camera_optical)"
    )
    _add_outputs(table)
    add_json(table, "pose and residuals")
    table.set_defaults(run=calibrate_table)


def _add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--board", choices=("charuco", "chessboard"), default="charuco", help="default: charuco"
    )
    parser.add_argument(
        "--squares", default="7x5", metavar="CxR", help="squares across and down (default: 7x5)"
    )
    parser.add_argument(
        "--square", type=length(0.001, 1.0), default=0.035, metavar="M",
        help="side of a square [m], measured on the print (default: 35mm)",
    )  # fmt: skip
    parser.add_argument(
        "--marker-size", type=length(0.0005, 1.0), default=None, metavar="M",
        help="side of a marker [m] (charuco; default: 26/35 of a square)",
    )  # fmt: skip
    _add_dictionary(parser)


def _add_dictionary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dictionary", default="4x4_50", metavar="NAME",
        help="markers, for example 4x4_50 or apriltag_36h11 (default: 4x4_50)",
    )  # fmt: skip


def _add_source(parser: argparse.ArgumentParser, required: bool) -> None:
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument("--images", metavar="FOLDER|GLOB", help="image files")
    source.add_argument("--topic", type=ros_name, metavar="NAME", help="live sensor_msgs/Image")
    source.add_argument("--bag", type=Path, metavar="BAG", help="ROS 2 bag with such a topic")
    parser.add_argument(
        "--bag-topic", default="", metavar="NAME", help="image topic of the bag, if it has several"
    )


def _add_live(parser: argparse.ArgumentParser, fewest: int, default: int, what: str) -> None:
    parser.add_argument(
        "--views", type=whole(fewest, 40), default=default, metavar="N",
        help=f"{what} to take (default: {default})",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=number(1.0, 3600.0), default=300.0, metavar="S",
        help="longest time for them [s] (default: 300)",
    )  # fmt: skip


def _add_known(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--point", action="append", default=[], metavar="U,V,X,Y,Z",
        help="pixel [px] and position in base [m] of a point; a length may have its unit, as 60cm; "
        "at least four, may be mixed with markers",
    )  # fmt: skip
    parser.add_argument(
        "--points", type=Path, metavar="FILE", help="CSV of such points: u,v,x,y,z[,name]"
    )
    parser.add_argument(
        "--marker", action="append", default=[], metavar="ID,SIZE,X,Y,Z[,YAW]",
        help="marker that lies face up: side and centre in base [m], or with units as 8cm; angle "
        "from base x to its right side [deg]; needs --images or --topic",
    )  # fmt: skip
    _add_dictionary(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="YAML to write, for the node"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="PNG with the reprojected points"
    )


def _board(args: argparse.Namespace) -> Board:
    across, _, down = args.squares.lower().partition("x")
    if not (across.isdecimal() and down.isdecimal()):
        raise UsageError(f"--squares {args.squares!r}: expected COLUMNSxROWS, for example 7x5")
    marker = args.square * 26 / 35 if args.marker_size is None else args.marker_size
    return Board(args.board, int(across), int(down), args.square, marker, args.dictionary)


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
