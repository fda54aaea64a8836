"""What observing through a camera costs: accuracy of final positions, and cost of learning.

Every trial is filmed in simulation and followed by the tracker that the graph uses, with the
true calibration.  A trial depends on the task, the seed and its number only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from icpi_ros.arms import ARMS
from icpi_ros.bench.entrants import entrants
from icpi_ros.bench.instances import Instance, draw_instance, proposal_rng
from icpi_ros.data.dataset import Dataset, shipped
from icpi_ros.data.workers import Workers
from icpi_ros.errors import IcpiError, ObservationMissing
from icpi_ros.improvers.base import Improver
from icpi_ros.perception.benchmark import one_core
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.images import Frame
from icpi_ros.perception.pipeline import ImageTracker
from icpi_ros.perception.quality import Quality
from icpi_ros.perception.targets import Watch, outline, watch
from icpi_ros.perception.tracking import SECOND
from icpi_ros.sim.camera import TYPICAL, CameraSettings, Image, SimulatedCamera
from icpi_ros.sim.filming import STANDING, Film, film
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, ObjectTrajectory, Outcome

IMPROVER = "embedded"
ADJUSTMENTS = 5
MOST_DRAWS = 200
"""Thetas that are drawn at most until one keeps the object in the picture."""
HIDDEN = 0.3
"""How long the band hides the whole object [s]."""
BAND_RADII = 20.0
"""Width of the band in radii of the object's image."""
GREY = 60
"""Brightness of the band, of 255."""
RATIO, EXTRA = 1.5, 1e-3
"""Limit of the cost from pixels: this factor on that from ground truth, plus so much [m]."""
_STREAM = 0x91E15
"""Last entropy word of what is drawn here."""


@dataclass(frozen=True)
class Case:
    """Circumstances of the camera.

    Attributes:
        settings: of the camera.
        occluded: True: a band passes over the object in the middle of its way.
        median, p95: what is allowed of the final position error [m].
    """

    settings: CameraSettings
    occluded: bool
    median: float
    p95: float


_TYPICAL = replace(TYPICAL, drop=0.05)
CASES: Mapping[str, Case] = MappingProxyType(
    {
        "ideal": Case(CameraSettings(), False, 0.5e-3, 1.5e-3),
        "typical": Case(_TYPICAL, False, 2e-3, 5e-3),
        "occluded": Case(_TYPICAL, True, 2e-3, 5e-3),
    }
)


# --- one film -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sight:
    """What the tracker made of a film.

    Attributes:
        path: samples as the graph's, NaN where not seen.
        quality: the tracker's verdict.
    """

    path: ObjectTrajectory
    quality: Quality


def look(task: Task, camera: Camera, made: Film, hide: Band | None = None) -> Sight:
    """Follow the task's object through a film; ``hide`` is drawn over the images."""
    tracker = ImageTracker.of(watch(task.name), camera)
    for stamp, image in made.images:
        pixels = image if hide is None else hide.over(image, stamp)
        tracker.update(stamp, Frame(pixels, "rgb8"))
    return Sight(*tracker.trajectory(made.start_ns, made.stop_ns, task.rest.period))


@dataclass(frozen=True)
class Band:
    """An opaque vertical band that sweeps over the object, like an arm.

    Attributes:
        middle_ns: when its centre is on the object's [ns].
        stamps: of ``columns`` [ns].
        columns: where the object's centre is [px].
        width: of the band [px].
        speed: relative to the object [px/s].
    """

    middle_ns: int
    stamps: Array
    columns: Array
    width: float
    speed: float

    @classmethod
    def of(cls, watched: Watch, camera: Camera, made: Film) -> Band:
        """Return a band that hides all of the object for HIDDEN, halfway along its path."""
        path = made.path
        way = np.concatenate(
            [[0.0], np.cumsum(np.linalg.norm(np.diff(path.positions, axis=0), axis=1))]
        )
        middle = int(np.searchsorted(way, 0.5 * way[-1]))
        edge = outline(watched.target, camera, watched.plane, path.positions[middle])
        across = float(np.ptp(edge[:, 0]))
        width = 0.5 * BAND_RADII * across
        stamps = made.start_ns + SECOND * path.times
        columns = camera.project(path.positions)[:, 0]
        return cls(int(stamps[middle]), stamps, columns, width, (width - across) / HIDDEN)

    def over(self, image: Image, stamp: int) -> Image:
        """Return a copy of an image with the band at time ``stamp`` [ns]."""
        centre = np.interp(stamp, self.stamps, self.columns)
        centre += self.speed * (stamp - self.middle_ns) / SECOND
        edges = np.clip([centre - 0.5 * self.width, centre + 0.5 * self.width], 0, image.shape[1])
        left, right = (round(float(edge)) for edge in edges)
        hidden = image.copy()
        hidden[:, left:right] = GREY
        return hidden

    def marked(self, made: Film, seen: ObjectTrajectory) -> bool:
        """Whether no position is given where the whole object was hidden for two images."""
        off = abs(made.start_ns + SECOND * seen.times - self.middle_ns)
        inside = off < (0.5 * HIDDEN - 0.04) * SECOND
        return bool(np.isnan(seen.positions[inside]).all())


# --- accuracy -----------------------------------------------------------------------------------


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
    cases: tuple[str, ...]
    seed: int

    def __call__(self, number: int) -> list[Sighting]:
        """Film and look once per case; cases with the same camera share a film."""
        with _one_thread():
            return list(self._run(number))

    def _run(self, number: int) -> Iterator[Sighting]:
        task, arm = self.task, ARMS.get(self.task.arm)
        rng = np.random.default_rng([self.seed, number, _STREAM])
        physics = draw_instance(task, "train", self.seed, number).physics
        world, standing = World(task, arm, physics), STANDING + float(rng.uniform(0.0, 0.05))
        theta, left_out = None, 0
        for settings in dict.fromkeys(CASES[name].settings for name in self.cases):
            settings_here = replace(settings, seed=int(rng.integers(2**62)))
            with SimulatedCamera(world.model, "", settings_here, watch(task.name).target) as camera:
                if theta is None:
                    theta, left_out = self._inside(world, physics, camera.camera, number, rng)
                made = film(task, arm, physics, theta, camera, world=world, standing=standing)
                names = [name for name in self.cases if CASES[name].settings == settings]
                for name in names:
                    yield self._sighting(name, number, camera.camera, made, left_out)

    def _sighting(
        self, name: str, number: int, camera: Camera, made: Film, left_out: int
    ) -> Sighting:
        band = Band.of(watch(self.task.name), camera, made) if CASES[name].occluded else None
        sight = look(self.task, camera, made, band)
        off = sight.path.positions[-1] - made.path.positions[-1]
        error, reason = float(np.linalg.norm(off)), sight.quality.reason
        if not np.isfinite(error) and not reason:
            reason = "the last sample is missing"
        marked = band is None or band.marked(made, sight.path)
        return Sighting(name, number, error, sight.quality.good, reason, marked, left_out)

    def _inside(
        self, world: World, physics: Array, camera: Camera, number: int, rng: np.random.Generator
    ) -> tuple[Array, int]:
        """Return a theta that keeps the object in the picture, and how many did not."""
        theta = np.array(draw_instance(self.task, "train", self.seed, number).theta)
        for left_out in range(MOST_DRAWS):
            arm = ARMS.get(self.task.arm)
            made = rollout(self.task, arm, physics, theta[np.newaxis], world=world)
            if in_picture(watch(self.task.name), camera, made.trajectories[0]):
                return theta, left_out
            theta = self.task.space.sample(rng)
        raise IcpiError(f"{self.task.name}: {MOST_DRAWS} thetas all took the object out of sight")


def in_picture(watched: Watch, camera: Camera, path: ObjectTrajectory) -> bool:
    """Whether all of the object is in the picture all the time."""
    size = np.array([camera.intrinsics.width, camera.intrinsics.height]) - 1.0
    for point in (*path.positions[::4], path.positions[-1]):
        pixels = outline(watched.target, camera, watched.plane, point)
        if not ((pixels >= 0.0) & (pixels <= size)).all():
            return False
    return True


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
        median, p95, worst: of the final position error of all trials that have one.
        passed: within the limits.
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
        median <= limits.median and p95 <= limits.p95 and unmarked == 0,
    )


# --- cost ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """One instance of the cost comparison.

    Attributes:
        number: of the instance.
        truth: true cost of the best-looking trial, observing ground truth [m].
        pixels: the same, observing pixels [m].
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


Watching = Callable[[Array, int], tuple[Outcome, float] | None]
"""From theta and trial to what is observed and the true cost [m]; None = unobserved."""


@dataclass(frozen=True)
class CostWork:
    """Instances of one task; called with the number of an instance."""

    task: Task
    dataset: Dataset
    seed: int

    def __call__(self, number: int) -> Played:
        """Play an instance twice: with ground truth, and with a typical camera."""
        with _one_thread():
            return self._play(draw_instance(self.task, "test", self.seed, number))

    def _play(self, instance: Instance) -> Played:
        task = self.task
        world = World(task, ARMS.get(task.arm), instance.physics)
        settings = replace(_TYPICAL, seed=self.seed + instance.number)
        truth = self._improve(instance, _FromTruth(task, instance, world))
        with SimulatedCamera(world.model, "", settings, watch(task.name).target) as camera:
            watching = _FromPixels(task, instance, world, camera, self.seed)
            pixels = self._improve(instance, watching)
        reasons = tuple(watching.reasons)
        return Played(instance.number, truth, pixels, watching.repeated, watching.skipped, reasons)

    def _improve(self, instance: Instance, observe: Watching) -> float:
        """Return the true cost of the best-looking of all trials [m]; infinite = none was seen."""
        improver = self._improver(instance)
        history: list[Outcome] = []
        best, cost = np.inf, np.inf
        theta = np.array(instance.theta)
        for trial in range(1 + ADJUSTMENTS):
            rng = proposal_rng(self.seed, instance.number, trial, IMPROVER)
            if trial > 0:
                theta = self._next(improver, history, rng)
            found = observe(theta, trial)
            if found is not None:
                history.append(found[0])
                if found[0].cost < best:
                    best, cost = found[0].cost, found[1]
        return float(cost)

    def _improver(self, instance: Instance) -> Improver:
        (entrant,) = entrants([IMPROVER])
        return entrant.build(self.task, instance.goal, instance.physics, self.dataset)

    def _next(
        self, improver: Improver, history: Sequence[Outcome], rng: np.random.Generator
    ) -> Array:
        """Return the improver's theta; a random one while nothing was observed."""
        space = self.task.space
        if not history:
            return space.sample(rng)
        return space.project(space.as_vector(improver.propose(tuple(history), rng).theta))[0]


@dataclass(frozen=True)
class _FromTruth:
    """Observes true positions."""

    task: Task
    instance: Instance
    world: World

    def __call__(self, theta: Array, trial: int) -> tuple[Outcome, float]:
        task, arm = self.task, ARMS.get(self.task.arm)
        made = rollout(task, arm, self.instance.physics, theta[np.newaxis], world=self.world)
        error = task.error(made.trajectories[0], self.instance.goal)
        return Outcome(theta, error, task.cost(error)), task.cost(error)


class _FromPixels:
    """Observes through a camera; a poor trial is executed once more, then given up."""

    def __init__(
        self, task: Task, instance: Instance, world: World, camera: SimulatedCamera, seed: int
    ) -> None:
        self.repeated = self.skipped = 0
        self.reasons: list[str] = []
        self._task, self._instance, self._seed = task, instance, seed
        self._world, self._camera = world, camera

    def __call__(self, theta: Array, trial: int) -> tuple[Outcome, float] | None:
        for attempt in range(2):
            found = self._observe(theta, trial, attempt)
            if found is not None:
                return found
            self.repeated += attempt == 0
        self.skipped += 1
        return None

    def _observe(self, theta: Array, trial: int, attempt: int) -> tuple[Outcome, float] | None:
        task, instance = self._task, self._instance
        rng = np.random.default_rng([self._seed, instance.number, trial, attempt, _STREAM])
        made = film(
            task,
            ARMS.get(task.arm),
            instance.physics,
            theta,
            self._camera,
            world=self._world,
            standing=STANDING + float(rng.uniform(0.0, 0.05)),
            seed=int(rng.integers(2**62)),
        )
        sight = look(task, self._camera.camera, made)
        if not sight.quality.good:
            self.reasons.append(sight.quality.reason)
            return None
        try:
            error = task.error(sight.path, instance.goal)
        except ObservationMissing as exc:
            self.reasons.append(str(exc))
            return None
        true = task.cost(task.error(made.path, instance.goal))
        return Outcome(theta, error, task.cost(error)), true


@dataclass(frozen=True)
class Cost:
    """Summary of the cost comparison of one task; lengths in [m].

    Attributes:
        task: name.
        instances: how many.
        truth, pixels: mean true cost of the best-looking trial.
        ratio: of the means.
        limit: what ``pixels`` may be.
        repeated, skipped: trials, over all instances.
        passed: within the limit.
    """

    task: str
    instances: int
    truth: float
    pixels: float
    ratio: float
    limit: float
    repeated: int
    skipped: int
    passed: bool


def cost_summary(task: str, played: Sequence[Played]) -> Cost:
    """Return the summary of the instances of one task."""
    truth = float(np.mean([each.truth for each in played]))
    pixels = float(np.mean([each.pixels for each in played]))
    limit = RATIO * truth + EXTRA
    return Cost(
        task,
        len(played),
        truth,
        pixels,
        pixels / truth,
        limit,
        sum(each.repeated for each in played),
        sum(each.skipped for each in played),
        pixels <= limit,
    )


# --- running ------------------------------------------------------------------------------------


def accuracy(
    task: Task,
    cases: Sequence[str],
    trials: int,
    seed: int,
    workers: Workers,
    on_trial: Callable[[], None] = lambda: None,
) -> list[Sighting]:
    """Return the trials of a task under ``cases``, by number; calls ``on_trial`` after each."""
    work = AccuracyWork(task, tuple(cases), seed)
    found = {}
    for number, sightings in workers.run(work, range(trials)):
        found[number] = sightings
        on_trial()
    return [sighting for number in sorted(found) for sighting in found[number]]


def cost(
    task: Task,
    instances: int,
    seed: int,
    workers: Workers,
    on_instance: Callable[[], None] = lambda: None,
) -> list[Played]:
    """Return the instances of a task, by number; calls ``on_instance`` after each.

    Raises:
        DatasetError: the task has no data set.
    """
    work = CostWork(task, shipped(task), seed)
    found = []
    for _, played in workers.run(work, range(instances)):
        found.append(played)
        on_instance()
    return sorted(found, key=lambda played: played.number)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let numerics and OpenCV use one thread."""
    import scipy.linalg  # noqa: F401  before the limit, which acts on what is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), one_core():
        yield
