"""Perception done again: the object's path in every window, from the sensor's messages of a bag.

The sources are those of the node ``perception``, fed in the order of recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import has_source, stream_samples
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import SECOND
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.pipeline import MARGIN
from icpi_ros.perception.sources import SOURCES, ImageSample, Sample, SeenPath, Source
from icpi_ros.perception.window import LONGEST
from icpi_ros.settings import table
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks.base import Task

JUMP = SECOND
"""A stamp that goes back further than this is a restarted clock [ns]."""
POSES, CAMERA = "tracked_pose", "camera"
"""Sources by what a recorded path tells: one from images has a residual, of poses it has none."""


def choose_source(bag: Bag, trials: Sequence[RecordedTrial]) -> str | None:
    """Return what positions came from in the run; None if the bag has no sensor's messages."""
    residuals = [trial.path.residual for trial in trials if trial.path is not None]
    preferred = CAMERA if residuals and np.isfinite(residuals).any() else POSES
    order = dict.fromkeys((preferred, *table.SOURCES))
    return next((name for name in order if has_source(bag, name)), None)


def perceive(
    bag: Bag,
    source: str,
    task: Task,
    trials: Sequence[RecordedTrial],
    camera: Camera | None = None,
) -> dict[str, SeenPath]:
    """Return what perception says now, by ``trial_id``; windows that were not closed are left out.

    Args:
        bag: to stream once.
        source: of :data:`icpi_ros.perception.sources.SOURCES`.
        task: of the trials.
        trials: in the order of recording.
        camera: calibrated; None = that of the task's scene with the bag's camera_info.

    Raises:
        UsageError: the bag lacks the source's topic, or the task has no camera target.
    """
    closed = [trial for trial in trials if trial.state == "closed" and trial.trial_id]
    usable = []
    for trial in closed:
        if 0 < trial.stop - trial.start <= LONGEST * SECOND:
            usable.append(trial)
        else:
            bag.note(f"trial {trial.trial_id}: its window is empty or longer than {LONGEST:g} s")
    sensor = SOURCES.get(source)(task, LONGEST, camera or partial(scene_camera, task))
    schedule = _Schedule(usable)
    found: dict[str, SeenPath] = {}
    for sample in stream_samples(bag, source, usable, sensor.lead):
        for window in schedule.due(sample.ns):
            found[window.trial_id] = sensor.path(window.start, window.stop)
        _take(bag, sensor, sample, camera)
    for window in schedule.rest():
        found[window.trial_id] = sensor.path(window.start, window.stop)
    return found


def _take(bag: Bag, sensor: Source, sample: Sample, camera: Camera | None) -> None:
    if camera is None and isinstance(sample, ImageSample) and sample.info is None:
        bag.note("images without camera_info are not used: give a calibration file")
    try:
        sensor.take(sample)
    except InvalidValue as exc:
        what = "an image" if isinstance(sample, ImageSample) else "a sample"
        bag.note(f"{what} cannot be used: {exc}")


class _Schedule:
    """Says which windows are complete when a sample comes by.

    Windows whose stamps go back belong to a later run of a simulated clock, and so do samples.
    """

    def __init__(self, windows: Sequence[RecordedTrial]) -> None:
        self._epochs: list[list[RecordedTrial]] = []
        for window in windows:
            if not self._epochs or window.start < self._epochs[-1][-1].start - JUMP:
                self._epochs.append([])
            self._epochs[-1].append(window)
        for epoch in self._epochs:
            epoch.sort(key=lambda window: window.stop)
        self._newest: int | None = None

    def due(self, ns: int) -> Iterator[RecordedTrial]:
        """Yield windows that are complete before a sample of ``ns`` is taken."""
        if self._newest is not None and ns < self._newest - JUMP:
            if len(self._epochs) > 1:
                yield from self._epochs.pop(0)
            self._newest = ns
        self._newest = ns if self._newest is None else max(ns, self._newest)
        waiting = self._epochs[0] if self._epochs else []
        while waiting and waiting[0].stop + round(MARGIN * SECOND) < ns:
            yield waiting.pop(0)

    def rest(self) -> Iterator[RecordedTrial]:
        """Yield what is left at the end."""
        for epoch in self._epochs:
            yield from epoch
