"""Inputs of `icpi calibrate`: images from files, a bag or a live topic, and known points."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from icpi_ros.bags.samples import ImageBag
from icpi_ros.core.errors import CalibrationFailed, InvalidValue, UsageError
from icpi_ros.core.files import read_file
from icpi_ros.core.units import MAX_BARE, parse_length
from icpi_ros.perception.calibration.board import Board, Gray
from icpi_ros.perception.calibration.file import require_size
from icpi_ros.perception.calibration.known_points import KnownPoints
from icpi_ros.perception.calibration.markers import Marker, find_markers
from icpi_ros.perception.calibration.views import (
    View,
    ViewCollector,
    coverage,
    image_paths,
    read_images,
    see,
)
from icpi_ros.perception.camera import Intrinsics

POINT = "U,V,X,Y,Z"
MAX_IMAGES = 40
"""Further images of --images are not read: the corners are a median."""
MAX_POINTS_FILE = 1_000_000
"""Largest file of --points [B]."""
MARKER = "ID,SIZE,X,Y,Z[,YAW]"


@dataclass(frozen=True)
class Known:
    """Points, an image for the picture (None if there is none), and one line of origin."""

    points: KnownPoints
    image: Gray | None
    source: str


def known_points(args: argparse.Namespace, intrinsics: Intrinsics) -> Known:
    """Return the known points that the arguments name.

    Raises:
        UsageError: nothing is given, text is no number, or markers without an image.
    """
    rows = [_point(text, f"point {i}") for i, text in enumerate(args.point, 1)]
    rows += read_points(args.points) if args.points else []
    markers = [_marker(text) for text in args.marker]
    if not rows and not markers:
        raise UsageError("nothing is known of the table: give --point, --points or --marker")
    if markers and not (args.images or args.topic or args.bag):
        raise UsageError("--marker needs an image that shows it: give --images or --topic")
    images = _images(args, intrinsics)
    values = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 5)
    points = KnownPoints(values[:, :2], values[:, 2:], tuple(row[0] for row in rows))
    if markers:
        points = _joined(points, find_markers(images, markers, args.dictionary))
    where = (
        f" in {len(images)} image(s) of {args.images or args.topic or args.bag}" if images else ""
    )
    source = f"{len(rows)} points, {len(markers)} markers{where}"
    return Known(points, images[0] if images else None, source)


def one_image(args: argparse.Namespace) -> tuple[Gray, str]:
    """Return the last image of the source that the arguments name, and what it is.

    Raises:
        UsageError: the source has none.
    """
    named = _named_images(args)
    if not named:
        raise UsageError(f"no image in {args.images or args.bag or args.topic}")
    name, image = named[-1]
    return image, name


def _images(args: argparse.Namespace, intrinsics: Intrinsics) -> list[Gray]:
    named = _named_images(args)
    for name, image in named:
        require_size(intrinsics, image.shape[1], image.shape[0], name)
    return [image for _, image in named]


def _named_images(args: argparse.Namespace) -> list[tuple[str, Gray]]:
    if args.images:
        return list(islice(read_images(args.images), MAX_IMAGES))
    if args.bag:
        return [(f"image {n + 1} of {args.bag}", i) for n, i in enumerate(bag_images(args))]
    if args.topic:
        frames = islice(live(args.topic, args.timeout), args.views)
        return [(f"the image on {args.topic}", image) for image in frames]
    return []


def _joined(one: KnownPoints, other: KnownPoints) -> KnownPoints:
    return KnownPoints(
        np.vstack([one.pixels, other.pixels]),
        np.vstack([one.positions, other.positions]),
        one.names + other.names,
    )


def _floats(parts: list[str], argument: str, text: str, form: str) -> list[float]:
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise UsageError(f"{argument} {text!r}: expected numbers {form}") from None


def _lengths(parts: list[str], argument: str, text: str, bare: float = np.inf) -> list[float]:
    try:
        return [parse_length(part, max_bare=bare) for part in parts]
    except InvalidValue as exc:
        raise UsageError(f"{argument} {text!r}: {exc}") from None


def _point(text: str, name: str) -> tuple[str, list[float]]:
    parts = text.split(",")
    if len(parts) != 5:
        raise UsageError(f"--point {text!r}: expected 5 numbers {POINT}, got {len(parts)}")
    pixel = _floats(parts[:2], "--point", text, POINT)
    return name, pixel + _lengths(parts[2:], "--point", text)


def _marker(text: str) -> Marker:
    parts = text.split(",")
    rest = _floats([*parts[:1], *parts[5:]], "--marker", text, MARKER)
    if len(parts) not in (5, 6) or not np.isfinite(rest).all() or rest[0] % 1:
        raise UsageError(f"--marker {text!r}: expected {MARKER}, ID an integer, the rest numbers")
    values = [rest[0], *_lengths(parts[1:2], "--marker", text, MAX_BARE)]
    values += [*_lengths(parts[2:5], "--marker", text), *rest[1:]]
    yaw = np.radians(values[5]) if len(values) == 6 else 0.0
    return Marker.flat(int(values[0]), values[1], np.array(values[2:5]), float(yaw))


def read_points(path: Path) -> list[tuple[str, list[float]]]:
    """Return names and values of a CSV; a header and lines with # are passed over.

    Raises:
        UsageError: it cannot be read, or a line is not of that form.
    """
    try:
        lines = read_file(path, MAX_POINTS_FILE).decode("utf-8-sig").splitlines()
    except OSError as exc:
        raise UsageError(f"--points {path}: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise UsageError(f"--points {path} is no text") from exc
    found = list[tuple[str, list[float]]]()
    for number, line in enumerate(lines, 1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        except csv.Error as exc:
            raise UsageError(f"--points {path}, line {number}: {exc}") from exc
        first = not found and cells[:1] and cells[0].lower() == "u"
        if not any(cells) or cells[0].startswith("#") or first:
            continue
        values = _floats(cells[:5], f"--points {path}, line {number}:", line, POINT.lower())
        if len(values) != 5:
            raise UsageError(f"--points {path}, line {number}: {line!r} is not u,v,x,y,z[,name]")
        found.append((" ".join(cells[5:]) or f"line {number}", values))
    return found


@dataclass(frozen=True)
class Taken:
    """Views of a board.

    Attributes:
        views: that were taken.
        images: of them, by the view's name.
        looked_at: number of images that were searched for the board.
        source: of the images, one line.
    """

    views: list[View]
    images: dict[str, Gray]
    looked_at: int
    source: str


def board_views(args: argparse.Namespace, board: Board) -> Taken:
    """Return the views of ``board`` from what the arguments name."""
    if args.bag:
        return _from_bag(args, board)
    return _from_files(args.images, board) if args.images else _from_topic(args, board)


def _from_bag(args: argparse.Namespace, board: Board) -> Taken:
    bag, collector = ImageBag(args.bag, args.bag_topic or None), ViewCollector()
    images, count, looked_at = dict[str, Gray](), bag.count(), 0
    hidden = not sys.stderr.isatty()
    for _, frame in tqdm(bag.frames(), total=count, unit="image", disable=hidden):
        looked_at += 1
        image, name = frame.gray(), f"view {len(collector.views) + 1}"
        if collector.offer(see(board, image, name)):
            images[name] = image
        if len(collector.views) >= args.views:
            break
    return Taken(collector.views, images, looked_at, f"{count} images of {args.bag}")


def _from_files(where: str, board: Board) -> Taken:
    views, images = list[View](), dict[str, Gray]()
    count = len(image_paths(where))
    hidden = not sys.stderr.isatty()
    for name, image in tqdm(read_images(where), total=count, unit="image", disable=hidden):
        view = see(board, image, name)
        if view is not None:
            views.append(view)
            images[name] = image
    return Taken(views, images, count, f"{count} images of {where}")


def _from_topic(args: argparse.Namespace, board: Board) -> Taken:
    collector, images, looked_at = ViewCollector(), dict[str, Gray](), 0
    with tqdm(total=args.views, unit="view", disable=not sys.stderr.isatty()) as bar:
        bar.set_postfix_str("show the board, hold it still, move on")
        for image in live(args.topic, args.timeout):
            looked_at += 1
            name = f"view {len(collector.views) + 1}"
            if not collector.offer(see(board, image, name)):
                continue
            images[name] = image
            bar.update()
            bar.set_postfix_str(f"{coverage(collector.views):.0%} of the image covered")
            if len(collector.views) >= args.views:
                return Taken(collector.views, images, looked_at, f"topic {args.topic}")
    raise CalibrationFailed(
        f"{len(collector.views)} of {args.views} views within {args.timeout:g} s on {args.topic}: "
        "show the whole board, hold it still at each new place, or give more --timeout"
    )


def live(topic: str, timeout: float) -> Iterator[Gray]:
    """Yield images of a topic for at most ``timeout`` [s]."""
    try:
        from icpi_ros.ros.clients.image_client import ImageClient  # needs ROS
    except ImportError as exc:
        raise UsageError(f"--topic needs ROS, which is not there: {exc}") from exc
    deadline = time.monotonic() + timeout
    with ImageClient(topic) as client:
        for image in client.frames():
            yield image
            if time.monotonic() > deadline:
                return


def bag_images(args: argparse.Namespace) -> list[Gray]:
    """Return as many images of a bag as the arguments ask for, evenly chosen."""
    bag = ImageBag(args.bag, args.bag_topic or None)
    every = max(1, bag.count() // args.views)
    frames = islice(bag.frames(), 0, every * args.views, every)
    return [frame.gray() for _, frame in frames]
