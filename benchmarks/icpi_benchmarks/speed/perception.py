"""Time of one frame in detector and tracker: ``python -m icpi_benchmarks.speed.perception``.

One core; painted frames with noise of 8 steps of 255; a ball that moves on a circle.  Image
transport is not in it.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_benchmarks.threads import opencv_on_one_thread
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.types import SECOND, Array
from icpi_ros.core.units import in_ms, times
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.targets import TrackedTarget, tracked_target
from icpi_ros.tasks import TASKS
from icpi_ros.testing.synthetic_images import draw, expose, overhead

SIZES = ((320, 240), (640, 480))
RATE = 60
LAP = 60
"""Different frames; they repeat."""
WORDS = {"detector": "detector", "both": "with tracker", "processor": "of that on the processor"}


@dataclass(frozen=True)
class FrameTiming:
    """Times ``(n,)`` [s] per frame, wall clock, and of this thread on a processor.

    Attributes:
        detector: of the detector alone [s].
        both: of detector and tracker [s].
        processor: the same, without the time in which other programs had the core [s].
        missed: frames in which the ball was not seen.
    """

    detector: Array
    both: Array
    processor: Array
    missed: int


def measure(width: int, height: int, frames: int, task: str = "roll-gc") -> FrameTiming:
    """Return the times of ``frames`` frames."""
    watched = tracked_target(TASKS.get(task))
    tracker = ImageSource(TASKS.get(task), camera=overhead(width, height)).ready()
    film = [_frame(watched, width, height, k) for k in range(LAP)]
    detector: list[float] = []
    both: list[float] = []
    processor: list[float] = []
    missed = 0
    with opencv_on_one_thread():
        for k in range(frames):
            stamp, frame = (k + 1) * SECOND // RATE, film[k % LAP]
            region = tracker.tracker.expected(stamp) or (None, 0.0)
            begun = time.perf_counter()
            tracker.detector.detect(frame, *region)
            between, worked = time.perf_counter(), time.thread_time()
            state = tracker.update(stamp, frame)
            processor.append(time.thread_time() - worked)
            both.append(time.perf_counter() - between)
            detector.append(between - begun)
            missed += not state.measured
    return FrameTiming(np.array(detector), np.array(both), np.array(processor), missed)


def _frame(watched: TrackedTarget, width: int, height: int, k: int) -> Frame:
    camera, turn = overhead(width, height), 2.0 * np.pi * k / LAP
    place = watched.plane.lift(np.array([0.6 + 0.3 * np.cos(turn), 0.25 + 0.3 * np.sin(turn)]))
    image = draw(camera, watched.target, watched.plane, place)
    return Frame(expose(image, np.random.default_rng(k), 8.0), "rgb8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the number of frames."""
    parser.add_argument("--frames", type=whole(1, 1_000_000), default=1000)


def run(args: argparse.Namespace) -> int:
    """Print one line per image size."""
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for width, height in SIZES:
            timing = measure(width, height, args.frames)
            found = {
                name: times(getattr(timing, name), 95) for name in ("detector", "both", "processor")
            }
            rows.append({"width": width, "height": height, **found, "missed": timing.missed})
            figures = "; ".join(f"{WORDS[n]} {in_ms(one, '.3f')}" for n, one in found.items())
            print(f"{width} x {height}: {figures}; {timing.missed} missed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
