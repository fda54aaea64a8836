"""Perception done again: the object's path in every window, from poses or images of a bag.

The same code as the node ``perception`` runs, fed in the order of recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from icpi_ros.data.bags.reader import Bag
from icpi_ros.data.bags.samples import ImageSample, PoseSample, Sample, stream_samples
from icpi_ros.data.bags.topics import IMAGE, POSE
from icpi_ros.data.bags.trials import RecordedTrial
from icpi_ros.errors import InvalidValue, UsageError
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.pipeline import MARGIN, ImageTracker
from icpi_ros.perception.quality import Quality, judge_pose
from icpi_ros.perception.targets import watch
from icpi_ros.perception.window import LONGEST, ObjectHistory
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks.base import Task
from icpi_ros.types import SECOND, ObjectTrajectory

POSE_LEAD, IMAGE_LEAD = 0.5, 1.0
"""What is read before and after each window [s]: a camera's track begins before it."""
JUMP = SECOND
"""A stamp that goes back further than this is a restarted clock [ns]."""
POSES, CAMERA = "tracked_pose", "camera"
SOURCES = (POSES, CAMERA)


@dataclass(frozen=True)
class Seen:
    """What perception says of a window now.

    Attributes:
        path: None if the object was not seen.
        quality: of the path; None without one.
        reason: why there is no path; "" = there is one.
    """

    path: ObjectTrajectory | None
    quality: Quality | None
    reason: str


class _Sensor(Protocol):
    def take(self, sample: Sample) -> None:
        """Take the next sample."""

    def path(self, start: int, stop: int) -> Seen:
        """Return the path between two stamps [ns]."""


def choose_source(bag: Bag, trials: Sequence[RecordedTrial]) -> str | None:
    """Return what positions came from in the run; None if the bag has neither poses nor images.

    A path from images has a residual, one of tracked poses has none.
    """
    residuals = [trial.path.residual for trial in trials if trial.path is not None]
    preferred = CAMERA if residuals and np.isfinite(residuals).any() else POSES
    order = [(preferred, POSE if preferred == POSES else IMAGE)]
    order += [(POSES, POSE), (CAMERA, IMAGE)]
    return next((source for source, topic in order if topic in bag.topics), None)


def perceive(
    bag: Bag,
    source: str,
    task: Task,
    trials: Sequence[RecordedTrial],
    camera: Camera | None = None,
) -> dict[str, Seen]:
    """Return what perception says now, by ``trial_id``; windows that were not closed are left out.

    Args:
        bag: to stream once.
        source: ``tracked_pose`` or ``camera``.
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
    sensor = _Poses(task) if source == POSES else _Images(bag, task, camera)
    schedule = _Schedule(usable)
    found: dict[str, Seen] = {}
    lead = POSE_LEAD if source == POSES else IMAGE_LEAD
    for sample in stream_samples(bag, source, usable, lead):
        for window in schedule.due(sample.ns):
            found[window.trial_id] = sensor.path(window.start, window.stop)
        sensor.take(sample)
    for window in schedule.rest():
        found[window.trial_id] = sensor.path(window.start, window.stop)
    return found


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


class _Poses:
    """As the node's source of tracked poses."""

    def __init__(self, task: Task) -> None:
        self._history = ObjectHistory(task.rest, LONGEST)

    def take(self, sample: Sample) -> None:
        if isinstance(sample, PoseSample) and np.isfinite(sample.position).all():
            self._history.add(sample.ns, sample.position)

    def path(self, start: int, stop: int) -> Seen:
        found = self._history.cut(start, stop)
        if found is None:
            return Seen(None, None, "no pose in the window")
        return Seen(found, judge_pose(found), "")


class _Images:
    """As the node's source of images."""

    def __init__(self, bag: Bag, task: Task, camera: Camera | None) -> None:
        self._bag, self._task, self._fixed = bag, task, camera is not None
        watched = watch(task)
        settings = replace(watched.settings, history=LONGEST)
        self._watch = replace(watched, settings=settings)
        self._info: tuple[object, ...] = ()
        self._tracker = ImageTracker.of(self._watch, camera) if camera is not None else None

    def take(self, sample: Sample) -> None:
        if not isinstance(sample, ImageSample):
            return
        try:
            if not self._fixed:
                self._learn(sample.info)
            if self._tracker is not None:
                self._tracker.update(sample.ns, sample.frame)
        except InvalidValue as exc:
            self._bag.note(f"an image cannot be used: {exc}")

    def path(self, start: int, stop: int) -> Seen:
        if self._tracker is None:
            return Seen(None, None, "no usable camera_info: give a calibration file")
        path, quality = self._tracker.trajectory(start, stop, self._task.rest.period)
        if path.coverage == 0.0:
            return Seen(None, None, "the object was not seen in the window")
        return Seen(path, quality, "")

    def _learn(self, info: Any | None) -> None:
        """Take the camera of a camera_info that is not the last one.

        Raises:
            InvalidValue: it is no calibration.
        """
        if info is None:
            self._bag.note("images without camera_info are not used: give a calibration file")
            return
        told = (info.width, info.height, info.distortion_model, bytes(info.k), bytes(info.d))
        if told == self._info:
            return
        self._info, self._tracker = told, None
        self._tracker = ImageTracker.of(self._watch, scene_camera(self._task, info))


def require_source(bag: Bag, source: str) -> str:
    """Return ``source`` if the bag has it.

    Raises:
        UsageError: unknown, or its topic is not in the bag.
    """
    if source not in SOURCES:
        raise UsageError(f"source {source!r}: choose one of {', '.join(SOURCES)}")
    bag.require(POSE if source == POSES else IMAGE)
    return source
