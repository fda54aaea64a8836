"""Speed of the evaluation of a run that only a camera saw: recorded here, then replayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from icpi_benchmarks.speed.bags import (
    HEIGHT,
    IMAGE_PERIOD,
    START,
    TASK,
    WIDTH,
    BagMaker,
    image_message,
)
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import IMAGE, INFO, PATH, TRIALS, WINDOW
from icpi_ros.bags.trial_message import proposal_fields, trial_fields
from icpi_ros.core.types import SECOND, Array, Trial
from icpi_ros.evaluate.evaluation import Evaluation, evaluate
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.perception.camera import Intrinsics
from icpi_ros.perception.targets import tracked_target
from icpi_ros.robots import ARMS
from icpi_ros.runs.in_process import run_simulated
from icpi_ros.runs.run import Run
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.observation import Observation
from icpi_ros.testing.synthetic_images import FOVY, draw, expose

IMPROVER = "embedded"
SEED = 3
PERIOD = 3_250_000_000
"""From one trial to the next [ns]: 8 trials are 26 s."""
BEFORE = SECOND
"""From the begin of the bag to the first window [ns]."""


def write_camera_run(path: Path, trials: int) -> None:
    """Write a simulated run as a recorder would: its images at 60 Hz, painted without noise.

    Window, path and trial are as perception and the improver would have sent them; ``camera_info``
    comes with every image.
    """
    task = TASKS.get(TASK)
    run = Run(task, improver=IMPROVER, trials=trials, seed=SEED)
    run_simulated(run, ARMS.get(task.arm), Observation(), lambda trial: None)
    watched = tracked_target(task)
    with BagMaker(path) as out:
        info = _info(out)
        paint = partial(draw, scene_camera(task, info), watched.target, watched.plane)
        for trial in run.trials:
            begin = START + BEFORE + trial.number * PERIOD
            first = START if not trial.number else begin
            due = sorted(_records(out, trial, begin), key=lambda record: record[1])
            for ns in _frames(first, begin + PERIOD):
                while due and due[0][1] <= ns:
                    out.put(*due.pop(0))
                info.header = out.header(ns)
                out.put(INFO, ns, info)
                out.put(IMAGE, ns, image_message(out, ns, expose(paint(_place(trial, ns - begin)))))
            for record in due:
                out.put(*record)


def replay(path: Path) -> Evaluation:
    """Return the evaluation of a bag that was written here, as ``icpi replay`` makes it."""
    return evaluate(Bag(path), EvaluationRequest())


def _frames(first: int, stop: int) -> Iterator[int]:
    numbers = range(-((START - first) // IMAGE_PERIOD), -((START - stop) // IMAGE_PERIOD))
    return (START + number * IMAGE_PERIOD for number in numbers)


def _place(trial: Trial, ns: int) -> Array:
    """Return where the object is ``ns`` [ns] after the window was opened, ``(3,)`` [m]."""
    seen = trial.trajectory
    assert seen is not None  # simulated without noise: always seen
    return np.array([np.interp(ns / SECOND, seen.times, axis) for axis in seen.positions.T])


def _records(out: BagMaker, trial: Trial, begin: int) -> Sequence[tuple[str, int, Any]]:
    """Return name, time [ns] and content of what is recorded of a trial besides its images."""
    seen, names = trial.trajectory, TASKS.get(TASK).space.names
    assert seen is not None
    stop, name = begin + round(float(seen.times[-1]) * SECOND), f"bench/{trial.number}-0"
    window = partial(
        out.message, "icpi_msgs/msg/TrialWindow", trial_id=name, task=TASK, start=out.stamp(begin)
    )
    points = [
        out.message("geometry_msgs/msg/Point", x=x, y=y, z=z) for x, y, z in seen.positions.tolist()
    ]
    path = out.message(
        "icpi_msgs/msg/ObjectTrajectory",
        header=out.header(begin),
        trial_id=name,
        times=seen.times,
        positions=points,
        coverage=1.0,
        longest_gap=0.0,
        residual=0.0,
        rate=60.0,
        good=True,
        reason="",
        at_rest=True,
    )
    proposal = proposal_fields(trial, names) | {"run_id": "bench"}
    told = trial_fields(trial, names) | {
        "run_id": "bench",
        "header": out.header(stop),
        "proposal": out.message("icpi_msgs/msg/Proposal", **_arrays(proposal)),
    }
    return [
        (WINDOW, begin, window(state=0, stop=out.stamp(0))),
        (WINDOW, stop, window(state=1, stop=out.stamp(stop))),
        (PATH, stop, path),
        (TRIALS, stop, out.message("icpi_msgs/msg/Trial", **_arrays(told))),
    ]


def _arrays(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with arrays in place of lists of numbers, as the serialiser takes them."""
    return {
        name: np.array(value, dtype=np.float64)
        if isinstance(value, list) and not any(isinstance(one, str) for one in value)
        else value
        for name, value in fields.items()
    }


def _info(out: BagMaker) -> Any:
    lens = Intrinsics.pinhole(WIDTH, HEIGHT, float(FOVY))
    none = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    return out.message(
        "sensor_msgs/msg/CameraInfo",
        header=out.header(START),
        height=HEIGHT,
        width=WIDTH,
        distortion_model=lens.model,
        d=lens.distortion,
        k=lens.matrix.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([lens.matrix, np.zeros((3, 1))]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=out.message("sensor_msgs/msg/RegionOfInterest", **none),
    )
