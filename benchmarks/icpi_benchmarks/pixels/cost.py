"""Cost of learning from pixels against learning from ground truth.

An instance depends on the task, the seed and its number only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_benchmarks.attempts import AfterFirst
from icpi_benchmarks.contest.entrants import entrants
from icpi_benchmarks.instances import Instance, draw_instance
from icpi_benchmarks.pixels import cases
from icpi_benchmarks.pixels.cases import STREAM, look
from icpi_benchmarks.pixels.filming import STANDING, film
from icpi_benchmarks.threads import one_thread
from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.perception.targets import tracked_target
from icpi_ros.robots.base import Arm
from icpi_ros.runs.run import Run
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

IMPROVER = "embedded"
ADJUSTMENTS = 5
RATIO, EXTRA = 1.5, 1e-3
"""Limit of the cost from pixels: this factor on that from ground truth, plus so much [m]."""


@dataclass(frozen=True)
class Played:
    """One instance of the cost comparison.

    Attributes:
        number: of the instance.
        truth: true cost of the best-looking trial, observing ground truth [m].
        pixels: the same, observing pixels [m]; infinite = no trial was seen.
        repeated: trials that were executed again because the first execution was judged poor.
        skipped: trials that were poor both times.
        reasons: why trials were poor.
    """

    number: int
    truth: float
    pixels: float
    repeated: int
    skipped: int
    reasons: tuple[str, ...]


Watching = Callable[[Array, int], tuple[ObjectTrajectory, float] | None]
"""From theta and trial to the observed path and the true cost [m]; None = unobserved."""


@dataclass(frozen=True)
class CostWork:
    """Instances of one task; called with the number of an instance."""

    task: Task
    arm: Arm
    dataset: Dataset
    seed: int

    def __call__(self, number: int) -> Played:
        """Play an instance twice: with ground truth, and with a typical camera."""
        with one_thread():
            why_not = simulated_feasibility(self.task, self.arm)
            return self._play(draw_instance(self.task, "test", self.seed, number, why_not))

    def _play(self, instance: Instance) -> Played:
        task = self.task
        world = World(task, self.arm, instance.physics)
        settings = replace(cases.WEBCAM, seed=self.seed + instance.number)
        truth = self._improve(instance, _FromTruth(task, self.arm, instance, world))
        with SimulatedCamera(world.model, "", settings, tracked_target(task).target) as camera:
            watching = _FromPixels(task, self.arm, instance, world, camera, self.seed)
            seen = self._improve(instance, watching)
        reasons = tuple(watching.reasons)
        return Played(instance.number, truth, seen, watching.repeated, watching.skipped, reasons)

    def _improve(self, instance: Instance, observe: Watching) -> float:
        """Return the true cost of the best-looking of all trials [m]; infinite = none was seen."""
        best, cost = np.inf, np.inf
        run = Run(
            self.task,
            improver=IMPROVER,
            goal=instance.goal,
            trials=1 + ADJUSTMENTS,
            proposals=AfterFirst(self._improver(instance), instance, self.seed),
        )
        run.why_not = simulated_feasibility(self.task, self.arm)
        for trial in range(1 + ADJUSTMENTS):
            found = observe(run.ask().theta, trial)
            if found is None:
                run.skip("it was not seen")
                continue
            path, true = found
            seen = run.tell(path)
            if seen.cost < best:
                best, cost = seen.cost, true
        return float(cost)

    def _improver(self, instance: Instance) -> Improver:
        (entrant,) = entrants([IMPROVER])
        return entrant.build(self.task, self.arm, instance.goal, instance.physics, self.dataset)


@dataclass(frozen=True)
class _FromTruth:
    """Observes true positions."""

    task: Task
    arm: Arm
    instance: Instance
    world: World

    def __call__(self, theta: Array, trial: int) -> tuple[ObjectTrajectory, float]:
        task = self.task
        made = rollout(task, self.arm, self.instance.physics, theta[np.newaxis], world=self.world)
        path = made.trajectories[0]
        return path, task.cost(task.error(path, self.instance.goal))


class _FromPixels:
    """Observes through a camera; a poor trial is executed once more, then given up."""

    def __init__(
        self,
        task: Task,
        arm: Arm,
        instance: Instance,
        world: World,
        camera: SimulatedCamera,
        seed: int,
    ) -> None:
        self.repeated = self.skipped = 0
        self.reasons: list[str] = []
        self._task, self._arm, self._instance, self._seed = task, arm, instance, seed
        self._world, self._camera = world, camera

    def __call__(self, theta: Array, trial: int) -> tuple[ObjectTrajectory, float] | None:
        for attempt in range(2):
            found = self._observe(theta, trial, attempt)
            if found is not None:
                return found
            self.repeated += attempt == 0
        self.skipped += 1
        return None

    def _observe(
        self, theta: Array, trial: int, attempt: int
    ) -> tuple[ObjectTrajectory, float] | None:
        task, instance = self._task, self._instance
        rng = np.random.default_rng([self._seed, instance.number, trial, attempt, STREAM])
        made = film(
            task,
            self._arm,
            instance.physics,
            theta,
            self._camera,
            world=self._world,
            standing=STANDING + float(rng.uniform(0.0, 0.05)),
            seed=int(rng.integers(2**62)),
        )
        sight = look(task, self._camera.camera, made)
        if sight.quality.reason is not None:
            self.reasons.append(sight.quality.reason)
            return None
        try:
            task.error(sight.path, instance.goal)
        except ObservationMissing as exc:
            self.reasons.append(str(exc))
            return None
        true = task.cost(task.error(made.path, instance.goal))
        return sight.path, true


@dataclass(frozen=True)
class Cost:
    """Summary of the cost comparison of one task; lengths in [m].

    Attributes:
        task: name.
        instances: how many.
        blind: those in which the camera saw no trial well enough; in neither mean.
        truth, pixels: mean true cost of the best-looking trial [m].
        ratio: ``pixels`` / ``truth``.
        limit: largest allowed ``pixels`` [m].
        repeated, skipped: trials, over all instances.
        passed: within the limit, and no instance is blind.
    """

    task: str
    instances: int
    blind: int
    truth: float
    pixels: float
    ratio: float
    limit: float
    repeated: int
    skipped: int
    passed: bool


def cost_summary(task: str, played: Sequence[Played]) -> Cost:
    """Return the summary of the instances of one task."""
    sighted = [(each.truth, each.pixels) for each in played if np.isfinite(each.pixels)]
    blind = len(played) - len(sighted)
    truth, pixels = np.mean(sighted or [(np.nan, np.nan)], axis=0).tolist()
    limit = RATIO * truth + EXTRA
    return Cost(
        task,
        len(played),
        blind,
        truth,
        pixels,
        pixels / truth,
        limit,
        sum(each.repeated for each in played),
        sum(each.skipped for each in played),
        pixels <= limit and blind == 0,
    )


def cost(
    task: Task,
    arm: Arm,
    dataset: Dataset,
    instances: int,
    seed: int,
    workers: Workers,
    on_instance: Callable[[], None] = lambda: None,
) -> list[Played]:
    """Return the instances of a task, by number; calls ``on_instance`` after each."""
    work = CostWork(task, arm, dataset, seed)
    found = []
    for _, played in workers.run(work, range(instances)):
        found.append(played)
        on_instance()
    return sorted(found, key=lambda played: played.number)
