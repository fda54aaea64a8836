"""Source of the images of `icpi calibrate`: files or a live topic."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tqdm import tqdm

from icpi_ros.bags.samples import ImageBag
from icpi_ros.core.errors import CalibrationFailed, UsageError
from icpi_ros.perception.calibration.board import Board, Gray
from icpi_ros.perception.calibration.image_files import image_paths, read_images
from icpi_ros.perception.calibration.views import View, ViewCollector, coverage, see


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
    bag, collector = ImageBag(args.bag, args.bag_topic), ViewCollector()
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
    bag = ImageBag(args.bag, args.bag_topic)
    every = max(1, bag.count() // args.views)
    frames = islice(bag.frames(), 0, every * args.views, every)
    return [frame.gray() for _, frame in frames]
