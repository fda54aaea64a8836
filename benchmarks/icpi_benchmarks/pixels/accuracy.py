"""Distance of final positions that a camera saw from the true ones.

A trial depends on the task, the cases, the seed and its number only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.pixels.cases import CASES, STREAM, Band, in_picture, look
from icpi_benchmarks.pixels.filming import STANDING, Film, film
from icpi_benchmarks.threads import one_thread
from icpi_ros.core.errors import IcpiError
from icpi_ros.core.types import Array
from icpi_ros.learn.building.workers import Workers
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.targets import tracked_target
from icpi_ros.robots.base import Arm
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import first_possible, simulated_feasibility

MAX_SAMPLES = 200
"""Thetas that are drawn at most until one keeps the object in the picture."""
MAX_UNSEEN = 0.05
"""Share of trials without a last position above which a case has not passed."""


@dataclass(frozen=True)
class Sighting:
    """One trial under one case.

    Attributes:
        case: its name.
        trial: its number.
        error: distance of the last position from the true one [m]; NaN = not seen.
        good: the tracker's verdict.
        reason: why it is not good, or why there is no last position.
        marked: False: positions were given while the object was hidden.
        left_out: thetas that were drawn before because the object left the picture.
    """

    case: str
    trial: int
    error: float
    good: bool
    reason: str
    marked: bool
    left_out: int


@dataclass(frozen=True)
class AccuracyWork:
    """Trials of one task under some cases; called with the number of a trial."""

    task: Task
    arm: Arm
    cases: tuple[str, ...]
    seed: int

    def __call__(self, number: int) -> list[Sighting]:
        """Film and look once per case; cases with the same camera share a film."""
        with one_thread():
            return list(self._run(number))

    def _run(self, number: int) -> Iterator[Sighting]:
        task, arm = self.task, self.arm
        rng = np.random.default_rng([self.seed, number, STREAM])
        physics = draw_instance(task, "train", self.seed, number).physics
        world, standing = World(task, arm, physics), STANDING + float(rng.uniform(0.0, 0.05))
        theta, left_out = None, 0
        for settings in dict.fromkeys(CASES[name].settings for name in self.cases):
            settings_here = replace(settings, seed=int(rng.integers(2**62)))
            with SimulatedCamera(
                world.model, "", settings_here, tracked_target(task).target
            ) as camera:
                if theta is None:
                    theta, left_out = self._inside(world, physics, camera.camera, number, rng)
                made = film(task, arm, physics, theta, camera, world=world, standing=standing)
                names = [name for name in self.cases if CASES[name].settings == settings]
                for name in names:
                    yield self._sighting(name, number, camera.camera, made, left_out)

    def _sighting(
        self, name: str, number: int, camera: Camera, made: Film, left_out: int
    ) -> Sighting:
        band = Band.of(tracked_target(self.task), camera, made) if CASES[name].occluded else None
        sight = look(self.task, camera, made, band)
        off = sight.path.positions[-1] - made.path.positions[-1]
        error, reason = float(np.linalg.norm(off)), sight.quality.reason or ""
        if not np.isfinite(error) and not reason:
            reason = "the last sample is missing"
        marked = band is None or band.marked(made, sight.path)
        return Sighting(name, number, error, sight.quality.good, reason, marked, left_out)

    def _inside(
        self, world: World, physics: Array, camera: Camera, number: int, rng: np.random.Generator
    ) -> tuple[Array, int]:
        """Return a theta that keeps the object in the picture, and how many did not."""
        why_not = simulated_feasibility(self.task, self.arm)
        theta = np.array(draw_instance(self.task, "train", self.seed, number, why_not).theta)
        for left_out in range(MAX_SAMPLES):
            made = rollout(self.task, self.arm, physics, theta[np.newaxis], world=world)
            if in_picture(tracked_target(self.task), camera, made.trajectories[0]):
                return theta, left_out
            theta = first_possible(self.task.space, rng, why_not)
        raise IcpiError(f"{self.task.name}: {MAX_SAMPLES} thetas all took the object out of sight")


@dataclass(frozen=True)
class Accuracy:
    """Summary of one case of one task; lengths in [m].

    Attributes:
        task, case: names.
        trials: how many.
        good: share that the tracker judged good, 0 to 1.
        unseen: trials without a last position.
        unmarked: trials with positions while the object was hidden.
        left_out: thetas whose object left the picture.
        median, p95, worst: of the final position error [m] of all trials that have one.
        passed: within the limits, and at most ``MAX_UNSEEN`` of the trials are unseen.
    """

    task: str
    case: str
    trials: int
    good: float
    unseen: int
    unmarked: int
    left_out: int
    median: float
    p95: float
    worst: float
    passed: bool


def summary(task: str, case: str, sightings: Sequence[Sighting]) -> Accuracy:
    """Return the summary of the trials of one case."""
    mine = [sighting for sighting in sightings if sighting.case == case]
    errors = np.array([sighting.error for sighting in mine])
    seen = errors[np.isfinite(errors)]
    median, p95, worst = (
        np.percentile(seen, (50, 95, 100)).tolist() if len(seen) else [float("nan")] * 3
    )
    unmarked = sum(not sighting.marked for sighting in mine)
    limits = CASES[case]
    # Otherwise a camera that sees next to nothing would pass with what little it sees.
    few = len(mine) - len(seen) <= MAX_UNSEEN * len(mine)
    return Accuracy(
        task,
        case,
        len(mine),
        float(np.mean([sighting.good for sighting in mine])),
        len(mine) - len(seen),
        unmarked,
        sum(sighting.left_out for sighting in mine),
        median,
        p95,
        worst,
        median <= limits.median and p95 <= limits.p95 and few and unmarked == 0,
    )


def accuracy(
    task: Task,
    arm: Arm,
    cases: Sequence[str],
    trials: int,
    seed: int,
    workers: Workers,
    on_trial: Callable[[], None] = lambda: None,
) -> list[Sighting]:
    """Return the trials of a task under ``cases``, by number; calls ``on_trial`` after each."""
    work = AccuracyWork(task, arm, tuple(cases), seed)
    found = {}
    for number, sightings in workers.run(work, range(trials)):
        found[number] = sightings
        on_trial()
    return [sighting for number in sorted(found) for sighting in found[number]]
