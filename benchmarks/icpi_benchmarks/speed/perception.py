"""How long does one frame take?  ``python -m icpi_benchmarks.speed.perception [--frames N]``.

One core; painted frames with noise of 8 steps of 255; a ball that moves on a circle.  Image
transport is not in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from icpi_ros.core.latency import in_ms, times
from icpi_ros.core.types import SECOND, Array
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.images import Frame
from icpi_ros.perception.synthetic import draw, expose, overhead
from icpi_ros.perception.targets import Watch, watch
from icpi_ros.tasks import TASKS

SIZES = ((320, 240), (640, 480))
RATE = 60
LAP = 60
"""Different frames; they repeat."""


@dataclass(frozen=True)
class Timing:
    """Times per frame ``(n,)`` [s], wall clock, and of this thread on a processor.

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


@contextmanager
def one_core() -> Iterator[None]:
    """Let OpenCV use one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def measure(width: int, height: int, frames: int, task: str = "roll-gc") -> Timing:
    """Return the times of ``frames`` frames."""
    watched = watch(TASKS.get(task))
    tracker = ImageSource(TASKS.get(task), camera=overhead(width, height)).ready()
    film = [_frame(watched, width, height, k) for k in range(LAP)]
    detector: list[float] = []
    both: list[float] = []
    processor: list[float] = []
    missed = 0
    with one_core():
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
    return Timing(np.array(detector), np.array(both), np.array(processor), missed)


def _frame(watched: Watch, width: int, height: int, k: int) -> Frame:
    camera, turn = overhead(width, height), 2.0 * np.pi * k / LAP
    place = watched.plane.lift(np.array([0.6 + 0.3 * np.cos(turn), 0.25 + 0.3 * np.sin(turn)]))
    image = draw(camera, watched.target, watched.plane, place)
    return Frame(expose(image, np.random.default_rng(k), 8.0), "rgb8")


def main() -> None:
    """Print one line per image size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=1000)
    args = parser.parse_args()
    for width, height in SIZES:
        timing = measure(width, height, args.frames)
        figures = [
            f"{name} {in_ms(times(seconds, 95), '.3f')}"
            for name, seconds in (
                ("detector", timing.detector),
                ("with tracker", timing.both),
                ("of that on the processor", timing.processor),
            )
        ]
        print(f"{width} x {height}: {'; '.join(figures)}; {timing.missed} missed", flush=True)


if __name__ == "__main__":
    main()
