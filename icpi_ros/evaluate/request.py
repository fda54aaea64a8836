"""Request for the evaluation of a bag: its parts, and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icpi_ros.evaluate.proposals import PAIRS
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.perception.camera import Camera
from icpi_ros.robots.base import Arm


@dataclass(frozen=True)
class EvaluationRequest:
    """Request for the evaluation of a bag.

    Attributes:
        improvers: names; empty = the one that each run was recorded with.
        task: only runs of it; None = all.
        run_id: only this run; None = all.
        source: ``tracked_pose`` or ``camera``; None = what the recording was made with.
        camera: calibrated; None = that of the task's scene with the bag's camera_info.
        dataset: examples; None = the shipped set of each task.
        seed: of the runs; None = the one that reproduces the first attempt, else 0.
        max_step: of theta in the runs, a share of its range; None = as in the recording.
        options: of the improvers.
        pairs: random solved instances per run, besides one per trial, where improvers are
            compared (at least two); see :mod:`icpi_ros.evaluate.proposals`.
        workers: who asks the improvers.
        arm: whose limits bound the proposals; None = that of the recording.
        poses: settings of a tracker's poses by name; what is missing is as in the recording.
        mix: another arm than that of the recording, or examples of another, are meant.
    """

    improvers: tuple[str, ...] = ()
    task: str | None = None
    run_id: str | None = None
    source: str | None = None
    camera: Camera | None = None
    dataset: Dataset | None = None
    seed: int | None = None
    max_step: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    pairs: int = PAIRS
    workers: Workers = field(default_factory=Workers)
    arm: Arm | None = None
    poses: Mapping[str, Any] = field(default_factory=dict)
    mix: bool = False
