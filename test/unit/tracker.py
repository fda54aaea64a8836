"""A tracker's samples for tests: an object that is struck, slides and comes to rest."""

from dataclasses import replace

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.poses.sample import PoseSample
from icpi_ros.perception.sources import PoseSource
from icpi_ros.tasks import TASKS

SECOND = 10**9
START, STOP = 100 * SECOND, 102 * SECOND
"""Window of the trial."""
MARGIN = SECOND // 2
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
STRIKE, SPEED, BRAKE = 0.3, 1.0, 1.25
"""Time of the strike [s], speed after it [m/s], deceleration [m/s^2]: at rest after 0.8 s."""


def place(ns):
    """Where the object is, ``(3,)`` [m]."""
    t = min(max((ns - START) / SECOND - STRIKE, 0.0), SPEED / BRAKE)
    return np.array([0.6, -0.1 + SPEED * t - 0.5 * BRAKE * t * t, 0.01])


def samples(rate=100.0, noise=2e-5, seed=0, frame="base"):
    """Samples from before the window to after it."""
    rng = np.random.default_rng(seed)
    stamps = np.arange(START - MARGIN, STOP + MARGIN, round(SECOND / rate))
    return [
        PoseSample(int(ns), place(ns) + noise * rng.standard_normal(3), frame, UPRIGHT)
        for ns in stamps
    ]


def during(found, first, last, change):
    """The samples with ``change(sample)`` from ``first`` to ``last`` [s] of the window."""
    lower, upper = START + first * SECOND, START + last * SECOND
    changed = [change(s) if lower <= s.ns <= upper else s for s in found]
    return [sample for sample in changed if sample is not None]


def lost(**fields):
    """A change of samples: these fields."""
    return lambda sample: replace(sample, **fields)


def source(task="slide", **settings):
    """A source of poses, its settings by the names of the table."""
    made = PoseSource(TASKS.get(task))
    made.understand(made.placing.settings.with_given(settings))
    return made


def fed(found, made=None, now=None):
    """A source that took samples; refusals are kept in it."""
    made = made or source()
    made.measured, made.refused = [], []
    for sample in found:
        try:
            measured = made.take(sample, now)
        except InvalidValue as exc:
            made.refused.append(str(exc))
            continue
        made.measured += [measured] if measured else []
    return made


def seen(found, made=None):
    """The path of the window."""
    return fed(found, made).path(START, STOP)
