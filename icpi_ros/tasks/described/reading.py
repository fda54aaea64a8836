"""Reader of a task's YAML file; docs/yaml_task.md explains every key."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from icpi_ros.core.errors import DescriptionError, IcpiError, Kind, Refusal
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, read_yaml
from icpi_ros.motion.rest import RestRule
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.base import Arm
from icpi_ros.robots.described_arm import DescribedArm
from icpi_ros.robots.description.fields import LENGTH, DescriptionBlock
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.described.motion_reading import motion_of
from icpi_ros.tasks.described.object_reading import object_of, start_of
from icpi_ros.tasks.described.observed import ObservedPosition, TimedPosition
from icpi_ros.tasks.described.position_reading import observed_of
from icpi_ros.tasks.described.quantities import (
    DURATION,
    REPEATABILITY,
    REST_SPEED,
    WEIGHT,
    file_of,
    flag,
)
from icpi_ros.tasks.described.scene import NO_PHYSICS
from icpi_ros.tasks.described.scene_reading import scene_of
from icpi_ros.tasks.described.task import DescribedTask

TASK_FILE = FileKind(DescriptionError)
PERIOD = 0.01
"""Time between two samples of the object's path unless the file says another [s]."""
DRAFT = (
    "{name} is a draft: goal, object, rest and what is observed are guesses of `icpi task new`; "
    "say what they are and take the line draft: true out of its file"
)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_REQUIRED = ("task", "arm", "motion", "observe", "goal", "object", "rest", "max_duration")
_OPTIONAL = ("summary", "cost", "reset", "scene", "physics", "dataset", "repeatability", "draft")


def register(path: Path) -> None:
    """Register the task of a file under its name; see :func:`load_task`.

    Raises:
        DescriptionError: see there, or the name is taken.
    """
    task = load_task(path)
    try:
        TASKS.register(task.name, task)
    except ValueError as exc:
        text = f"{task.file}: {exc}"
        refusal = Refusal(text, Kind.DUPLICATE, "task", value=task.name, field="task")
        raise DescriptionError(refusal) from exc


def load_task(path: Path) -> DescribedTask:
    """Return the task that a YAML file describes; an arm that it names by a file is registered.

    Raises:
        DescriptionError: the file cannot be read or holds what is not allowed; the message names
            file, key, value and what is allowed.
    """
    path = path.expanduser().absolute()
    top = DescriptionBlock.of(str(path), read_yaml(path, TASK_FILE), _REQUIRED, _OPTIONAL)
    name = top.text("task")
    if not _NAME.fullmatch(name):
        raise top.fail("task", "small letters, digits, _ and -, a letter first, at most 40")
    arm = _arm(top, path.parent)
    family, space, release = motion_of(top, path.parent, arm)
    what, camera = object_of(top)
    observed, rest, duration = observed_of(top), _rest(top), top.number("max_duration", DURATION)
    _check_window(top, observed, rest, duration)
    goals, default, varies = _goal(top, observed, what)
    scene = scene_of(top, path.parent)
    facts = {
        "name": name,
        "summary": top.text("summary") if top.has("summary") else f"task of {path.name}",
        "arm": arm.name,
        "object_body": what,
        "camera_target": camera,
        "space": space,
        "goal_space": goals,
        "default_goal": default,
        "goal_varies": varies,
        "error_names": tuple(f"{axis} [m]" for axis in observed.axes),
        "cost_mask": _weights(top, observed),
        "rest": rest,
        "max_duration": duration,
        "scene": None if scene is None else scene.path,
        "physics_space": NO_PHYSICS if scene is None else scene.physics,
        "shifted_space": NO_PHYSICS if scene is None else scene.shifted,
        "repeatability": top.number("repeatability", REPEATABILITY)
        if top.has("repeatability")
        else 0.0,
        "caution": DRAFT.format(name=name) if flag(top, "draft") else "",
        "dataset": file_of(top, "dataset", path.parent) if top.has("dataset") else None,
    }
    return DescribedTask(path, facts, family, observed, start_of(top), scene, release)


def _arm(top: DescriptionBlock, folder: Path) -> Arm:
    """Return the arm by its name, or by its file, under whose name it is registered then."""
    given = top.text("arm")
    try:
        if given in ARMS:
            return ARMS.get(given)
        is_file = given.endswith((".yaml", ".yml"))
        arm = find_arm(str(folder / Path(given).expanduser()) if is_file else given)
    except IcpiError as exc:
        raise DescriptionError(Refusal(f"{top.where}: arm: {exc}", Kind.OTHER, "arm")) from exc
    known = ARMS.registered_as(arm.name)
    if known is None:
        ARMS.register(arm.name, arm)
    elif not _same(known, arm):
        raise top.fail("arm", f"another: an arm called {arm.name} is already registered")
    return ARMS.get(arm.name)


def _same(first: Arm, second: Arm) -> bool:
    """Return whether both come from the same content of a file."""
    files = [
        arm.description.files[0].sha256 if isinstance(arm, DescribedArm) else ""
        for arm in (first, second)
    ]
    return files[0] == files[1]


def _rest(top: DescriptionBlock) -> RestRule:
    block = top.inner("rest", ("speed",), ("window", "period"))
    speed = block.number("speed", REST_SPEED)
    period = block.number("period", DURATION) if block.has("period") else PERIOD
    if speed < 0.0:
        raise block.fail("speed", "a speed [m/s] below which the object rests, 0 = it never does")
    if speed == 0.0:
        return RestRule.never(period)
    if not block.has("window"):
        raise block.fail("window", "the time [s] over which the speed is taken, such as 0.1")
    return RestRule(speed, block.number("window", DURATION), period)


def _check_window(
    top: DescriptionBlock, observed: ObservedPosition, rest: RestRule, duration: float
) -> None:
    """Refuse a window of a trial in which what is observed cannot come."""
    if rest.period > 0.1 * duration or rest.window > duration:
        raise top.fail("max_duration", "at least ten periods and one window of rest")
    if isinstance(observed, TimedPosition) and observed.time > duration:
        text = f"{top.where}: observe: time is {observed.time:g} s: must be at most max_duration"
        limit = (0.0, duration)
        raise DescriptionError(
            Refusal(text, Kind.OUT_OF_BOUNDS, "time", "", observed.time, limit, "s", "time")
        )
    if observed.needs_rest and rest.speed == 0.0:
        raise top.inner("rest", ("speed",), ("window", "period")).fail(
            "speed", "above 0, where the object is observed at rest"
        )


def _goal(
    top: DescriptionBlock, observed: ObservedPosition, what: str
) -> tuple[ParameterSpace, Array, bool]:
    """Return the region of goals, the default one, and whether goals are drawn from the region."""
    block = top.inner("goal", observed.axes, ("varies",))
    varies = flag(block, "varies")
    parameters, default = list[Parameter](), list[float]()
    for axis in observed.axes:
        inner = block.inner(axis, ("lower", "upper"), ("default",))
        lower, upper = inner.number("lower", LENGTH), inner.number("upper", LENGTH)
        if not lower < upper:
            raise inner.fail("upper", f"above lower, {lower:g} m")
        usual = inner.number("default", LENGTH) if inner.has("default") else 0.5 * (lower + upper)
        if not lower <= usual <= upper:
            raise inner.fail("default", f"inside the region, {lower:g} to {upper:g} m")
        parameters.append(Parameter(axis, "m", lower, upper, f"goal of the {what}, frame base"))
        default.append(usual)
    return ParameterSpace(tuple(parameters), label="goal"), np.array(default), varies


def _weights(top: DescriptionBlock, observed: ObservedPosition) -> Array:
    """Return the weight of each error in the cost; 1 where the file has none."""
    if not top.has("cost"):
        return np.ones(len(observed.axes))
    block = top.inner("cost", observed.axes)
    found = np.array([block.number(axis, WEIGHT) for axis in observed.axes])
    if (found < 0.0).any() or not found.any():
        raise top.fail("cost", "weights of at least 0, one of them above 0")
    return found
