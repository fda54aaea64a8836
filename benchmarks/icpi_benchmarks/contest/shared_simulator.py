"""The simulator of one instance: contest and oracles share its scene and its latest paths."""

from __future__ import annotations

import functools

import numpy as np

from icpi_benchmarks.simulator import Simulate, simulator
from icpi_ros.core.errors import Refusal
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

MAX_PATHS = 256
"""Latest paths that are kept: an instance of 15 improvers and six trials has 150."""


def shared_simulator(task: Task, arm: Arm, physics: Array) -> Simulate:
    """Return a simulator that makes its scene once and simulates no theta twice.

    A path depends on theta alone, so that an oracle whose Jacobian is of a trial's theta need not
    simulate that one again.  Of the same task, arm and physics it is the same one, as long as no
    other is asked for.
    """
    return _shared(task, arm, np.asarray(physics, dtype=np.float64).tobytes())


@functools.lru_cache(maxsize=1)
def _shared(task: Task, arm: Arm, content: bytes) -> Simulate:
    run = simulator(task, arm, np.frombuffer(content).copy())
    known: dict[bytes, ObjectTrajectory | Refusal] = {}

    def simulate(thetas: Array) -> list[ObjectTrajectory | Refusal]:
        keys = [theta.tobytes() for theta in thetas]
        found = {key: known[key] for key in keys if key in known}
        new = {key: n for n, key in enumerate(keys) if key not in found}
        if new:
            found.update(zip(new, run(thetas[list(new.values())]), strict=True))
        known.update(found)
        for key in list(known)[:-MAX_PATHS]:
            del known[key]
        return [found[key] for key in keys]

    return simulate
