"""Perception of a bag done again, and its deviation from what was recorded.

The sources are those of the node ``perception``, fed in the order of recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from icpi_ros.bags.parameters import RecordedSetup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import has_source, require_source, stream_samples
from icpi_ros.bags.trials import RecordedTrial, WindowState
from icpi_ros.core.errors import IcpiError, InvalidValue, ObservationMissing, UsageError
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory, Trial
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.dataset.execution import UNKNOWN
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.image_tracker import SMOOTHING_MARGIN
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.perception.sources import (
    MAX_WINDOW,
    SOURCES,
    ImageSample,
    PoseSource,
    Sample,
    SeenPath,
    Source,
)
from icpi_ros.settings.table import CAMERA, POSES
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks.base import Task

CLOCK_RESTART = SECOND
"""Smallest step back of a stamp that is a restarted clock [ns]."""
"""Sources that a recorded path can have: one from images has a residual, of poses it has none."""
NAN = float("nan")
MAX_STEP_RATIO = 1.5
"""Largest distance of two samples between which is compared [usual steps]."""
TIME_ROUNDING = 1e-6
"""Rounding of times [s]."""


def see_runs(
    bag: Bag,
    runs: Sequence[RecordedRun],
    trials: Sequence[RecordedTrial],
    request: EvaluationRequest,
    setup: RecordedSetup | None = None,
) -> tuple[str | None, dict[str, SeenPath]]:
    """Do perception again, one pass per task; return its source, and what is seen by trial id.

    Args:
        bag: to stream.
        runs: whose trials are looked at.
        trials: of the bag.
        request: what was asked for.
        setup: of the recorded graph, as far as it is known.

    Raises:
        UsageError: the request's source is not in the bag.
    """
    setup = setup or RecordedSetup()
    source = request.source or choose_source(bag, trials, setup.source)
    poses = setup.poses.with_given(request.poses)
    if source is None:
        bag.note("perception is not done again: the bag has neither poses nor images")
        return None, {}
    require_source(bag, source)
    wanted = {run.run_id: run.task for run in runs}
    seen: dict[str, SeenPath] = {}
    for task in {task.name: task for task in wanted.values()}.values():
        names = {run_id for run_id, its in wanted.items() if its.name == task.name}
        mine = [trial for trial in trials if trial.run_id in names]
        try:
            seen |= perceive(bag, source, task, mine, request.camera, poses)
        except UsageError as exc:
            bag.note(f"perception of task {task.name} is not done again: {exc}")
    return source, seen


def executed_of(run: RecordedRun, seen: Mapping[int, SeenPath]) -> tuple[Trial, ...]:
    """Return the trials that the run executed and saw: with the recorded path, else that of now.

    Only paths that show what the task needs count.
    """
    found = []
    for recorded in run.done:
        trial, now = recorded.seen, seen.get(recorded.number)
        if trial is not None and trial.trajectory is None and now is not None:
            trial = replace(trial, trajectory=now.path)
        if trial is None or trial.trajectory is None:
            continue
        try:
            shown = np.isfinite(run.task.error(trial.trajectory, run.goal)).all()
        except IcpiError:
            continue
        if shown:
            found.append(trial)
    return tuple(found)


def recorded_seconds(trials: Sequence[RecordedTrial]) -> float:
    """Return the time from the first window to the last [s]; restarts of the clock add up."""
    total, begin, end = 0, 0, 0
    for trial in (t for t in trials if t.stop):
        if not end or trial.start < end - CLOCK_RESTART:
            total, begin, end = total + end - begin, trial.start, trial.stop
        end = max(end, trial.stop)
    return (total + end - begin) / SECOND


def choose_source(bag: Bag, trials: Sequence[RecordedTrial], recorded: str = "") -> str | None:
    """Return the source of positions in the run; None if the bag has no sensor's messages.

    One that was recorded counts; without it the paths tell.
    """
    residuals = [trial.path.residual for trial in trials if trial.path is not None]
    preferred = CAMERA if residuals and np.isfinite(residuals).any() else POSES
    if recorded and recorded not in (*SOURCES, UNKNOWN):
        bag.note(f"source {recorded!r} of the recording is not known here: give its --plugin")
    order = [name for name in (recorded, preferred, POSES, CAMERA, *SOURCES) if name in SOURCES]
    return next((name for name in order if has_source(bag, name)), None)


def perceive(
    bag: Bag,
    source: str,
    task: Task,
    trials: Sequence[RecordedTrial],
    camera: Camera | None = None,
    poses: PoseSettings | None = None,
) -> dict[str, SeenPath]:
    """Return the paths that perception sees now, by ``trial_id``.

    Windows that were not closed are left out.

    Args:
        bag: to stream once.
        source: of :data:`icpi_ros.perception.sources.SOURCES`.
        task: of the trials.
        trials: in the order of recording.
        camera: calibrated; None = that of the task's scene with the bag's camera_info.
        poses: unit, frame and clock of a tracker's poses; None = ours.

    Raises:
        UsageError: the bag lacks the source's topic, or the task has no camera target.
    """
    closed = [trial for trial in trials if trial.state is WindowState.CLOSED and trial.trial_id]
    usable = []
    for trial in closed:
        if 0 < trial.stop - trial.start <= MAX_WINDOW * SECOND:
            usable.append(trial)
        else:
            bag.note(f"trial {trial.trial_id}: its window is empty or longer than {MAX_WINDOW:g} s")
    sensor = SOURCES.get(source)(task, MAX_WINDOW, camera or partial(scene_camera, task))
    sensor.judges_rest = False
    if isinstance(sensor, PoseSource):
        sensor.understand(poses or PoseSettings())
    schedule = _Schedule(usable)
    found: dict[str, SeenPath] = {}
    noted: dict[str, str] = {}
    for sample in stream_samples(bag, source, usable, sensor.lead, sensor.lag):
        for window in schedule.due(sensor.time_of(sample)):
            found[window.trial_id] = sensor.path(window.start, window.stop)
        _take(bag, sensor, sample, camera, noted)
    for window in schedule.rest():
        found[window.trial_id] = sensor.path(window.start, window.stop)
    for line in noted.values():
        bag.note(line)
    return found


def _take(
    bag: Bag, sensor: Source, sample: Sample, camera: Camera | None, noted: dict[str, str]
) -> None:
    """Take a sample; ``noted`` keeps one line of each kind about those that cannot be used."""
    if camera is None and isinstance(sample, ImageSample) and sample.info is None:
        bag.note("images without camera_info are not used: give a calibration file")
    try:
        sensor.take(sample)
    except InvalidValue as exc:
        what = "an image" if isinstance(sample, ImageSample) else "a sample"
        noted.setdefault(exc.refusal.brief, f"{what} cannot be used: {exc}")


class _Schedule:
    """Schedule of the windows that are complete when a sample comes by.

    Windows whose stamps go back belong to a later run of a simulated clock, and so do samples.
    """

    def __init__(self, windows: Sequence[RecordedTrial]) -> None:
        self._epochs: list[list[RecordedTrial]] = []
        for window in windows:
            if not self._epochs or window.start < self._epochs[-1][-1].start - CLOCK_RESTART:
                self._epochs.append([])
            self._epochs[-1].append(window)
        for epoch in self._epochs:
            epoch.sort(key=lambda window: window.stop)
        self._newest: int | None = None

    def due(self, ns: int) -> Iterator[RecordedTrial]:
        """Yield windows that are complete before a sample of ``ns`` is taken."""
        if self._newest is not None and ns < self._newest - CLOCK_RESTART:
            if len(self._epochs) > 1:
                yield from self._epochs.pop(0)
            self._newest = ns
        self._newest = ns if self._newest is None else max(ns, self._newest)
        waiting = self._epochs[0] if self._epochs else []
        while waiting and waiting[0].stop + round(SMOOTHING_MARGIN * SECOND) < ns:
            yield waiting.pop(0)

    def rest(self) -> Iterator[RecordedTrial]:
        """Yield what is left at the end."""
        for epoch in self._epochs:
            yield from epoch


@dataclass(frozen=True)
class PathDeviation:
    """Deviation of two paths of one window.  NaN = one of the two is missing.

    Attributes:
        rms: root mean square distance over the samples that both have [m].
        most: largest distance [m].
        end: distance of the last samples that both have [m].
        coverage: share of samples present now.
        recorded_coverage: the same in the recording.
        cost: of the path now [m].
        recorded_cost: [m].
        samples: how many were compared.
        reason: the reason why there is no path now, or why it is poor; "" if it is good.
    """

    rms: float
    most: float
    end: float
    coverage: float
    recorded_coverage: float
    cost: float
    recorded_cost: float
    samples: int
    reason: str


def deviation_of(task: Task, trial: RecordedTrial, seen: SeenPath | None) -> PathDeviation:
    """Compare the path that perception sees in a trial's window now with the recorded one."""
    now = seen.path if seen else None
    then = trial.path.trajectory if trial.path else None
    gaps = np.zeros(0) if now is None or then is None else _gaps(then, now)
    known = len(gaps) > 0
    return PathDeviation(
        rms=float(np.sqrt(np.mean(gaps**2))) if known else NAN,
        most=float(gaps.max()) if known else NAN,
        end=float(gaps[-1]) if known else NAN,
        coverage=now.coverage if now else NAN,
        recorded_coverage=trial.path.coverage if trial.path else NAN,
        cost=_cost(task, trial, now),
        recorded_cost=trial.trial.cost if trial.trial else NAN,
        samples=len(gaps),
        reason=_reason(seen),
    )


def _gaps(then: ObjectTrajectory, now: ObjectTrajectory) -> Array:
    """Return distances ``(n,)`` [m] at the recorded times at which both paths have a sample."""
    seen = np.isfinite(now.positions).all(axis=1)
    known, path = now.times[seen], now.positions[seen]
    if len(known) < 2:
        return np.zeros(0)
    after = np.clip(np.searchsorted(known, then.times), 1, len(known) - 1)
    step = known[after] - known[after - 1]
    both = np.isfinite(then.positions).all(axis=1) & (
        step <= MAX_STEP_RATIO * np.median(np.diff(known))
    )
    both &= (then.times >= known[0] - TIME_ROUNDING) & (then.times <= known[-1] + TIME_ROUNDING)
    columns = [np.interp(then.times[both], known, column) for column in path.T]
    return np.asarray(np.linalg.norm(np.stack(columns, axis=-1) - then.positions[both], axis=1))


def _cost(task: Task, trial: RecordedTrial, now: ObjectTrajectory | None) -> float:
    if now is None or trial.goal is None:
        return NAN
    try:
        return task.cost(task.error(now, trial.goal))
    except ObservationMissing:
        return NAN


def _reason(seen: SeenPath | None) -> str:
    if seen is None:
        return "the window was not recorded whole"
    return seen.reason or (seen.quality.reason if seen.quality else None) or ""
