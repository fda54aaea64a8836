"""Task: the seam of dynamic motions, whatever executes them."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.core.errors import ObservationMissing, UsageError
from icpi_ros.core.html import table
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.rest import RestRule
from icpi_ros.motion.trajectory import Motion, TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.camera_target import CameraTarget
from icpi_ros.tasks.observation import PERFECT, Observation

if TYPE_CHECKING:
    import mujoco


_RUN_STREAM = 0x7E57
"""Second entropy word of run physics; data sets use the smaller number of their physics sample."""


class Task(ABC):
    """Dynamic motion: parameters, goal, motion primitive, error and cost.

    A task is one .py file (this class) and one scene ``sim/<scene>.xml``, registered by one
    line in :mod:`icpi_ros.tasks`.  All methods are pure.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    scene: ClassVar[str | None]
    """File name of the MuJoCo scene in ``sim/``, or the absolute path of a scene elsewhere; None =
    the task has none and is not simulated, see :meth:`required_scene`."""
    revision: ClassVar[int]
    """Raised whenever the scene or the motion changes: older data sets and runs no longer fit."""
    arm: ClassVar[str] = "ur5e"
    """Name of the arm (with its tool) that is part of the scene."""
    object_body: ClassVar[str]
    """MuJoCo body that is thrown, slid or swung (its first body: all joints below count).  The
    scene's site and framepos sensor ``object`` mark the point that is tracked."""
    space: ClassVar[ParameterSpace]
    """Policy parameters theta."""
    goal_space: ClassVar[ParameterSpace]
    """Goals that can be reached under every documented physics."""
    default_goal: ClassVar[Array]
    goal_varies: ClassVar[bool] = False
    """True: data sets and benchmarks sample goals from ``goal_space``; else always the default."""
    physics_space: ClassVar[ParameterSpace]
    """Hidden physics phi of the simulation: range of the training and of the test samples."""
    shifted_space: ClassVar[ParameterSpace]
    """Wider range, to measure improvers outside the data; see :meth:`sample_shifted`."""
    error_names: ClassVar[tuple[str, ...]]
    """Names of the relative error features, with unit in brackets."""
    cost_mask: ClassVar[Array]
    """``(m,)`` weight of each error dimension in the cost, as a rule 1; 0 = it does not count."""
    rest: ClassVar[RestRule]
    """Rule for the object at rest; the same in simulation and in the graph."""
    max_duration: ClassVar[float]
    """Longest trial window from the start of the motion [s]; always reached if nothing rests."""
    scalable: ClassVar[bool] = False
    """True: the outcome does not depend on the speed of the motion, so that the first motions of
    a run may be slower.  False where the speed is what is learnt."""
    within_limits: ClassVar[bool] = True
    """True: the task's own arm can execute every theta of the space, so a simulation does not ask
    its gate."""
    camera_target: ClassVar[CameraTarget | None] = None
    """Object that a camera looks for; None = no camera, positions come from elsewhere."""
    dataset: ClassVar[Path | None] = None
    """File of examples of a task from outside; None = the one that comes with the package."""
    repeatability: float = 0.0
    """Cost [m] that repeats of one theta differ by; a run ends there.  0 = not known."""
    caution: str = ""
    """One line that is said before a run; empty = nothing."""
    observation: Observation = PERFECT
    """Error of the sensor on the object's path; simulation only, perfect unless set."""

    def __repr__(self) -> str:
        """Return one line: name and parameters."""
        return f"<Task {self.name}: {', '.join(self.space.names)}>"

    def _repr_html_(self) -> str:
        """Return parameters and goals with units and bounds, for notebooks."""
        spaces = (("theta", self.space), ("goal", self.goal_space), ("hidden", self.physics_space))
        rows = [
            (kind, p.name, f"{p.lower:g} to {p.text(p.upper)}", p.description)
            for kind, space in spaces
            for p in space.parameters
        ]
        title = f"task {self.name}: {self.summary}"
        return table(title, ("", "parameter", "range", "meaning"), rows)

    @property
    def first_theta(self) -> Array | None:
        """Theta ``(d,)`` that a run should try first, such as a demonstration; None = any."""
        return None

    @property
    def required_scene(self) -> str:
        """The scene, for what simulates.

        Raises:
            UsageError: there is none.
        """
        if self.scene is None:
            raise UsageError(
                f"task {self.name} has no scene and cannot be simulated here: give the task in "
                "whose scene its motions are to be tried (icpi run --world TASK, a graph: "
                "world:=TASK), or add scene: FILE.xml to its file"
            )
        return self.scene

    @property
    def how_to_reset(self) -> str:
        """Instruction to a person to put the scene back, one imperative without a full stop."""
        return f"put the {self.object_body} back at its start, at rest"

    def misplaced(self, position: Array) -> str:
        """Return the reason why an object at ``(3,)`` [m] is not at its start; empty if it is.

        This default knows of no place, and finds none wrong.
        """
        return ""

    def goal_point(self, goal: Array) -> Array | None:
        """Return the place ``(3,)`` [m] of a goal ``(g,)``, frame ``base``; None = not drawn.

        This default takes the goal as a place (x, y) on the table; of one number it knows no place.
        """
        return np.array([goal[0], goal[1], 0.0]) if len(goal) > 1 else None

    @abstractmethod
    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Return the motion of ``arm`` for each theta; ``thetas`` is ``(N, d)`` in the space.

        Raises:
            MotionRefused: a motion leaves the arm's reach.
        """

    def releases(self, thetas: Array, arm: Arm) -> Array | None:
        """Return the times ``(N,)`` in the motions at which the gripper lets go [s].

        None: nothing is held; this default.
        """
        return None

    def lets_go(self, arm: Arm) -> bool:
        """Tell whether motions of ``arm`` end the hold of a gripper, as :meth:`releases` declares.

        Asked once of the middle of the space: the gate refuses a motion that does otherwise.
        """
        middle = 0.5 * (self.space.lower + self.space.upper)
        return self.releases(middle[np.newaxis, :], arm) is not None

    @abstractmethod
    def ready(self, theta: Array, arm: Arm) -> Array:
        """Return the pose ``(n,)`` [rad] clear of the object, before the approach."""

    def motion(self, theta: Array, arm: Arm) -> Motion:
        """Return the whole motion of ``arm`` for one ``(d,)`` theta."""
        thetas = theta[np.newaxis, :]
        trajectory, releases = self.trajectories(thetas, arm)[0], self.releases(thetas, arm)
        release = None if releases is None else float(releases[0])
        return Motion(self.ready(theta, arm), trajectory, release)

    @abstractmethod
    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Return the relative error features e ``(m,)`` of an outcome to a goal.

        ICPI section "relative error tokens": e = s_t - tau_g at chosen features.

        Raises:
            ObservationMissing: the trajectory lacks the samples that are needed.
        """

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array | None:
        """Return the goal ``(g,)`` that this outcome reaches, for hindsight labels (ICPI).

        ``cost(error(trajectory, goal))`` must be 0 (to rounding); the goal may lie outside the
        goal space.  None: the task has no such goal, brute-force labels only.

        Raises:
            ObservationMissing: the trajectory lacks the samples that are needed.
        """
        return None

    def cost(self, error: Array) -> float:
        """Return the cost [m]: Euclidean norm of the weighted error dimensions."""
        return float(np.linalg.norm(error * self.cost_mask))

    def last_seen(self, trajectory: ObjectTrajectory) -> Array:
        """Return the last position ``(3,)`` [m] of a trajectory, at which the object came to rest.

        Raises:
            ObservationMissing: the last sample is missing.
        """
        if len(trajectory.times) == 0 or not np.isfinite(trajectory.positions[-1]).all():
            raise ObservationMissing(
                f"the {self.object_body} was not seen at the end of the trial window"
            )
        return np.array(trajectory.positions[-1])

    @property
    def raw_names(self) -> tuple[str, ...]:
        """Names of the raw form, with unit in brackets."""
        goals = (f"goal {p.name} [{p.unit}]" for p in self.goal_space.parameters)
        return (*self.error_names, *goals)

    def raw(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Return the raw form (s_t, tau_g) ``(r,)``: state, then goal, nothing subtracted.

        ICPI's ablation compares it with :meth:`error`; it looks at the same instant.  This
        default fits tasks whose error is a position minus the goal; others override it.

        Raises:
            ObservationMissing: as :meth:`error`.
        """
        return np.concatenate([self.error(trajectory, goal) + goal, goal])

    @abstractmethod
    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Write hidden physics ``(P,)`` into a model of the scene."""

    def sample_physics(self, rng: np.random.Generator) -> Array:
        """Sample hidden physics ``(P,)`` uniformly from the documented range."""
        return self.physics_space.sample(rng)

    def seeded_physics(self, seed: int) -> Array:
        """Return the physics ``(P,)`` of run ``seed``; its stream is not that of the data sets."""
        return self.sample_physics(np.random.default_rng([seed, _RUN_STREAM]))

    def sample_shifted(self, rng: np.random.Generator) -> Array:
        """Sample physics ``(P,)`` of the wider range, at least one quantity outside the data's."""
        physics = self.shifted_space.sample(rng)
        if len(physics) == 0 or not self.physics_space.contains(physics):
            return physics
        i = int(rng.integers(len(physics)))
        inner, outer = self.physics_space.parameters[i], self.shifted_space.parameters[i]
        below, above = inner.lower - outer.lower, outer.upper - inner.upper
        u = rng.uniform(0.0, below + above)
        physics[i] = outer.lower + u if u < below else inner.upper + (u - below)
        return physics

    def sample_goal(self, rng: np.random.Generator) -> Array:
        """Sample a goal ``(g,)`` for training or test; always the default if the goal is fixed."""
        return self.goal_space.sample(rng) if self.goal_varies else self.default_goal.copy()

    def check_goal(self, goal: ArrayLike) -> Array:
        """Return a goal ``(g,)`` that some theta reaches under every documented physics.

        Raises:
            InvalidValue: wrong length, not finite, or outside the reachable region.
        """
        return self.goal_space.validate(goal)

    def definition(self) -> dict[str, Any]:
        """Return all that a data set of this task depends on, JSON-able, for hashing and diffs."""
        return {
            "name": self.name,
            "revision": self.revision,
            "arm": self.arm,
            "theta": _box(self.space),
            "goal": _box(self.goal_space),
            "default_goal": self.default_goal.tolist(),
            "goal_varies": self.goal_varies,
            "physics": _box(self.physics_space),
            "error": list(self.error_names),
            "cost_mask": self.cost_mask.tolist(),
            "rest": [self.rest.speed, self.rest.window, self.rest.period],
            "max_duration": self.max_duration,
        }

    def definition_hash(self) -> str:
        """Return a short hash of :meth:`definition`."""
        text = json.dumps(self.definition(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _box(space: ParameterSpace) -> list[list[Any]]:
    return [[p.name, p.unit, p.lower, p.upper] for p in space.parameters]
