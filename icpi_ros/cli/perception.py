"""Show what perception makes of recorded images."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from icpi_ros.bags.samples import ImageBag
from icpi_ros.cli.arguments import checked_folder
from icpi_ros.core.errors import UsageError
from icpi_ros.perception.calibration.file import load_camera
from icpi_ros.perception.drawing import draw
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.sources import ImageSample
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def run_debug(args: argparse.Namespace) -> int:
    """Track through the bag, write pictures, print how often the object was seen."""
    checked_folder("--out", args.out)
    task, bag = TASKS.get(args.task), ImageBag(args.bag, args.topic or None)
    source, count = _source(args.calibration, task, bag), bag.count()
    tracker = source.ready()
    args.out.mkdir(parents=True, exist_ok=True)
    found: Counter[str] = Counter()
    shown = tqdm(bag.frames(), total=count, unit="image", disable=not sys.stderr.isatty())
    for number, (stamp, frame) in enumerate(shown):
        source.take(ImageSample(stamp, frame))
        look = tracker.last_frame
        if look is None:
            continue
        found[look.state.rejected.value or "seen"] += 1
        if number % args.every == 0:
            picture = cv2.cvtColor(draw(frame, look, tracker), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(args.out / f"{number:06d}.png"), picture)
    for what, times in found.most_common():
        print(f"{times:7d} of {count} images: {what}")
    print(f"pictures: {args.out}")
    if args.json:
        args.json.write({"images": count, **found})
    return 0 if found["seen"] else 1


def _source(calibration: Path | None, task: Task, bag: ImageBag) -> ImageSource:
    """Return what follows the task's object: with the camera of a file, else of the scene and bag.

    Raises:
        UsageError: the file or the bag says nothing usable, or the task has no camera target.
    """
    if calibration is not None:
        return ImageSource(task, camera=load_camera(calibration))
    source, info = ImageSource(task, camera=partial(scene_camera, task)), bag.info()
    if info is None:
        raise UsageError("the bag has no camera_info: give --calibration")
    source.learn(info)
    return source
