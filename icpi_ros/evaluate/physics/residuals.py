"""Residuals of simulated paths against recorded ones under any physics, and their noise.

A recorded path is compared sample by sample with the simulated one of the same theta.  What is not
physics is taken out of every trial by itself, small by a normal prior each: a delay (stamps, the
start of the motion), a constant offset (camera, placing by hand), and a slip of theta (an arm that
does not quite execute its command; contact, whose simulation is rough by as much).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks.base import Task

DELAY = 0.03
"""Standard deviation of a trial's delay [s]."""
OFFSET = 0.003
"""Standard deviation of each coordinate of a trial's offset [m]."""
MOVING = 2.0
"""Coordinates in which an object moves: on a table, or in the plane of a swing."""
SLIP = 0.005
"""Standard deviation of a trial's slip, in theta scaled to [-1, 1]."""
MAX_NUISANCE = 10.0
"""Largest delay, offset and slip, in standard deviations."""
FIXED = 4
"""Per trial: delay, and offset in x, y, z; then the slip of each policy parameter."""
_SLIP_STEP = 0.03
"""Of the finite differences by theta, scaled; contact is rough over smaller ones."""
MAX_SAMPLES = 120
"""Samples of a trial that are compared; evenly chosen among more."""
_HALF_STEP = 0.004
"""Half the time over which a path's velocity is taken [s]."""
_ROUGHNESS_STEP = 0.006
"""Change of scaled physics over which paths should change evenly."""
_DIRECTIONS = 3
_ROUGHNESS_FACTOR = 1.5
"""Jumps are rare: a few looks see too few of them; measured on training draws."""
_UNSTABLE_RESIDUAL = 1.0
"""Residual of a simulation that became unstable [m]."""
MIN_NOISE = 3e-4
"""Smallest noise [m]: simulated contact alone makes as much."""
OUTLIER_STDS = 3.0
"""Residuals of so many standard deviations count half."""
_MAD = 1.4826
"""From the median absolute residual to a standard deviation of normal noise."""

Paths = list[ObjectTrajectory] | None
"""Simulated paths, one per trial; None = that physics is unstable."""


class PathResiduals:
    """Residuals of recorded trials against their simulation under any physics.

    Args:
        task: of the trials.
        arm: that executed them.
        trials: at least one, each with a sample that is there.
        threads: physics that are simulated at the same time; results do not depend on it.
    """

    def __init__(self, task: Task, arm: Arm, trials: Sequence[Trial], threads: int = 1) -> None:
        self.task, self.trials, self.rollouts = task, trials, 0
        self._arm, self._threads = arm, threads
        self._thetas = np.stack([trial.theta for trial in trials])
        chosen = [_chosen(trial.path) for trial in trials]
        self._times = [times for times, _ in chosen]
        self._seen = [positions for _, positions in chosen]
        self.lengths = [len(times) for times in self._times]
        """Number of samples of each trial."""
        same = (self._thetas[:, np.newaxis] == self._thetas).all(axis=-1)
        self.repeats = [int(count) for count in same.sum(axis=1)]
        """Number of executions of each trial's theta."""
        self._known: dict[bytes, Paths] = {}
        self._before: dict[bytes, Paths] = {}
        self._slips = [np.zeros((len(seen), 3, task.space.dim)) for seen in self._seen]

    @property
    def nuisances(self) -> int:
        """Number of nuisances of each trial."""
        return FIXED + self.task.space.dim

    def paths(self, scaled: Array) -> list[Paths]:
        """Simulate all trials under ``(N, P)`` physics, scaled to [-1, 1] in their box."""
        rows = {row.tobytes(): row for row in scaled}
        self._known |= {key: self._before[key] for key in rows if key in self._before}
        new = {key: row for key, row in rows.items() if key not in self._known}
        with ThreadPoolExecutor(self._threads) as pool:
            made = pool.map(lambda row: self._simulate(row, self._thetas), new.values())
            self._known.update(zip(new, made, strict=True))
        self.rollouts += len(new) * len(self.trials)
        return [self._known[row.tobytes()] for row in scaled]

    def forget(self) -> None:
        """Drop simulated paths that nobody asked for since the last call."""
        self._known, self._before = {}, self._known

    def linearise(self, scaled: Array) -> None:
        """Take the effect of slips under physics ``(P,)`` as what counts from now on.

        It stays as it was where that physics, or a theta, is unstable.
        """
        space = self.task.space
        for j in range(space.dim):
            steps = np.zeros((2, 1, space.dim))
            steps[:, 0, j] = _SLIP_STEP, -_SLIP_STEP
            scaled_thetas = space.normalise(self._thetas)
            reach = np.maximum(np.abs(scaled_thetas), 1.0)  # a box may have been wider then
            points = np.clip(scaled_thetas + steps, -reach, reach)
            above, below = (self._simulate(scaled, space.denormalise(p)) for p in points)
            self.rollouts += 2 * len(self.trials)
            if above is None or below is None:
                continue
            widths = points[0, :, j] - points[1, :, j]
            for i, slips in enumerate(self._slips):
                change = self._at(above, i, 0.0) - self._at(below, i, 0.0)
                slips[:, :, j] = SLIP * change / widths[i]

    def roughness(self, scaled: Array, rng: np.random.Generator) -> Array:
        """Return the roughness of each trial's simulation around physics ``(P,)``: ``(T,)`` [m].

        Second differences over tiny steps would be nothing if paths changed smoothly; of paths
        that are off at random by r they are sqrt(6) r.
        """
        steps = _ROUGHNESS_STEP * rng.choice((-1.0, 1.0), (_DIRECTIONS, len(scaled)))
        centre = np.clip(scaled, _ROUGHNESS_STEP - 1.0, 1.0 - _ROUGHNESS_STEP)
        paths = self.paths(np.vstack([centre, centre + steps, centre - steps]))
        still = np.zeros((len(self.trials), self.nuisances))
        found = [self.residuals(p, still) for p in paths]
        pairs = zip(found[1 : 1 + _DIRECTIONS], found[1 + _DIRECTIONS :], strict=True)
        squares = np.mean([(a + b - 2.0 * found[0]) ** 2 for a, b in pairs], axis=0).sum(axis=1)
        parts = np.split(squares, np.cumsum(self.lengths)[:-1])
        return _ROUGHNESS_FACTOR * np.sqrt([float(part.mean()) / (6.0 * MOVING) for part in parts])

    def residuals(self, paths: Paths, nuisances: Array) -> Array:
        """Return recorded minus simulated ``(n, 3)`` [m] of all samples, trial after trial.

        Args:
            paths: simulated.
            nuisances: ``(T, 4 + d)`` delay, offset and slip in standard deviations.
        """
        parts = []
        for i, seen in enumerate(self._seen):
            delay, offset = DELAY * nuisances[i, 0], OFFSET * nuisances[i, 1:FIXED]
            slip = self._slips[i] @ nuisances[i, FIXED:]
            parts.append(seen - offset - slip - self._at(paths, i, delay))
        return np.concatenate(parts)

    def slopes(self, below: Paths, above: Paths, nuisances: Array) -> Array:
        """Return residuals of ``above`` minus those of ``below`` ``(n, 3)`` [m]."""
        return self.residuals(above, nuisances) - self.residuals(below, nuisances)

    def nuisance_slopes(self, paths: Paths, nuisances: Array) -> Array:
        """Return the slopes ``(n, 3, T (4 + d))`` of the residuals by ``(T, 4 + d)`` nuisances."""
        slopes = np.zeros((sum(self.lengths), 3, self.nuisances * len(self.trials)))
        begin = 0
        for i, length in enumerate(self.lengths):
            rows, first = slice(begin, begin + length), self.nuisances * i
            delay = DELAY * nuisances[i, 0]
            early, late = (self._at(paths, i, delay + s * _HALF_STEP) for s in (-1.0, 1.0))
            slopes[rows, :, first] = DELAY * (early - late) / (2.0 * _HALF_STEP)
            slopes[rows, [0, 1, 2], [first + 1, first + 2, first + 3]] = -OFFSET
            slopes[rows, :, first + FIXED : first + self.nuisances] = -self._slips[i]
            begin += length
        return slopes

    def _simulate(self, scaled: Array, thetas: Array) -> Paths:
        space = self.task.physics_space
        physics = space.project(space.denormalise(scaled))[0]
        try:
            return rollout(self.task, self._arm, physics, thetas).trajectories
        except (SimulationUnstable, MotionRefused):  # refused: a slip out of the arm's reach
            return None

    def _at(self, paths: Paths, trial: int, delay: float) -> Array:
        """Return simulated positions ``(n, 3)`` [m] when the samples of a trial were taken."""
        if paths is None:
            return self._seen[trial] + _UNSTABLE_RESIDUAL
        path, times = paths[trial], self._times[trial] - delay
        columns = [np.interp(times, path.times, column) for column in path.positions.T]
        return np.stack(columns, axis=-1)


def _chosen(path: ObjectTrajectory) -> tuple[Array, Array]:
    """Return times ``(n,)`` and positions ``(n, 3)`` of at most SAMPLES samples that are there."""
    there = np.flatnonzero(np.isfinite(path.positions).all(axis=1))
    index = np.linspace(0, len(there) - 1, min(MAX_SAMPLES, len(there))).round().astype(np.int64)
    return path.times[there[index]], path.positions[there[index]]


@dataclass(frozen=True)
class Noise:
    """Noise of ``n`` samples.

    Attributes:
        deviation: standard deviation of a coordinate [m].
        shared: number of neighbouring samples that count as much as one.
        rough: ``(T,)`` how rough the simulation of each trial is [m].
        scale: ``(n,)`` factor that makes a sample's residual count as it should [1/m].
    """

    deviation: float
    shared: float
    rough: Array
    scale: Array


def noise_of(
    residuals: Array, lengths: Sequence[int], rough: Array, repeats: Sequence[int]
) -> Noise:
    """Return the noise in residuals ``(n, 3)`` [m] of trials of ``lengths`` samples.

    What is ``rough`` ``(T,)`` [m] in a simulated path lasts along all of it and is the same
    whenever the same theta is simulated: together, the ``repeats`` of a theta never count more than
    one sample with that noise.  A constant offset of a trial is not noise.
    """
    parts = np.split(residuals, np.cumsum(lengths)[:-1])
    level = np.concatenate([part - np.median(part, axis=0) for part in parts])
    sizes = np.linalg.norm(residuals, axis=1)
    moving = np.median(np.abs(level), axis=0) > 0.1 * MIN_NOISE
    seen = level[:, moving] if moving.any() else level
    deviation = max(MIN_NOISE, _MAD * float(np.median(np.abs(seen))))
    weights = 1.0 / (1.0 + (sizes / (OUTLIER_STDS * deviation)) ** 2)
    shared = _shared(np.sqrt(weights)[:, np.newaxis] * seen, lengths)
    lasting = np.repeat(np.multiply(lengths, repeats) * rough**2, lengths)
    scale = np.sqrt(weights / (shared * deviation**2 + lasting))
    return Noise(deviation, shared, rough, scale)


def _shared(residuals: Array, lengths: Sequence[int]) -> float:
    """Return the correlation time in samples: 1 + 2 sum of correlations up to the first below 0.

    Geyer's initial sequence for the variance of a mean, over all trials together.
    """
    parts = np.split(residuals, np.cumsum(lengths)[:-1])
    total = sum(float(np.sum(part**2)) for part in parts)
    if total <= 0.0:
        return 1.0
    time = 1.0
    for lag in range(1, max(2, max(lengths) // 2)):
        correlation = sum(float(np.sum(part[lag:] * part[:-lag])) for part in parts) / total
        if correlation <= 0.0:
            break
        time += 2.0 * correlation
    return time
