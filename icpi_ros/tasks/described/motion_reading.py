"""Reader of the motion of a task's YAML file: strike, swing or demonstration, and its box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from icpi_ros.core.errors import DescriptionError, IcpiError, Kind, MotionRefused, Refusal
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.motion.primitives import Strike
from icpi_ros.robots.base import Arm
from icpi_ros.robots.description.fields import (
    ACCELERATION,
    ANGLE,
    DECELERATION,
    JOINT_SPEED,
    LENGTH,
    TOOL_SPEED,
    DescriptionBlock,
    Quantity,
)
from icpi_ros.tasks.described.motions import (
    Bounds,
    DemonstrationFamily,
    MotionFamily,
    ReadyOffset,
    StrikeFamily,
    SwingFamily,
)
from icpi_ros.tasks.described.quantities import ANY, DISTANCE, HEADING, MOMENT, bounds

RELEASE = Parameter("release", "s", 0.0, 0.0, "letting go after the moment of highest tool speed")
MAX_PARAMETERS = 8
_KINDS = ("strike", "swing", "demonstration")
_Words = Mapping[str, tuple[Quantity, str]]
"""Quantity and meaning of parameters by name."""
_STRIKE: _Words = {
    "speed": (TOOL_SPEED, "peak speed of the tool"),
    "heading": (HEADING, "strike direction from +y, positive towards -x"),
}


def motion_of(
    top: DescriptionBlock, folder: Path, arm: Arm
) -> tuple[MotionFamily, ParameterSpace, float | None]:
    """Return the motions of a file, the whole box of theta, and a release that does not change.

    The moment of release is the last of theta where it is a parameter; else it is a number [s],
    after the tool is fastest, or None: nothing is let go.

    Raises:
        DescriptionError: they are not what is allowed, or the middle of the box is no motion.
    """
    block = top.inner("motion", ("parameters",), (*_KINDS, "ready", "release"))
    kinds = [kind for kind in _KINDS if block.has(kind)]
    if len(kinds) != 1:
        text = f"{block.where} has {' and '.join(kinds) or 'none'} of {', '.join(_KINDS)}: name one"
        raise DescriptionError(Refusal(text, Kind.FORM, "motion", value=kinds, field="motion"))
    if block.has("ready") and kinds != ["strike"]:
        raise block.fail("ready", f"left out: it is of a strike, a {kinds[0]} has its own")
    named = _parameters(block)
    shape = {name: pair for name, pair in named.items() if name != RELEASE.name}
    family = _READERS[kinds[0]](block, shape, folder, arm)
    _check_middle(block, family, arm)
    fixed = block.number("release", MOMENT) if block.has("release") else None
    if RELEASE.name not in named:
        return family, family.space, fixed
    if fixed is not None:
        raise block.fail("release", "left out: it is one of the parameters")
    lower, upper = bounds(block.inner("parameters", tuple(named)), RELEASE.name, MOMENT)
    let_go = Parameter(RELEASE.name, RELEASE.unit, lower, upper, RELEASE.description)
    return family, ParameterSpace((*family.space.parameters, let_go)), None


def _parameters(block: DescriptionBlock) -> dict[str, Bounds | None]:
    """Return the ranges of all parameters by name; units are checked by their motion.

    None = the usual one, of a demonstration.
    """
    value = block.content["parameters"]
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_PARAMETERS:
        raise block.fail(
            "parameters", f"1 to {MAX_PARAMETERS} names with their [lower, upper], such as speed"
        )
    inner = DescriptionBlock(f"{block.where}: parameters", value)
    proposed = block.has("demonstration")  # it knows the usual range of each of its parameters
    return {
        str(name): None
        if given is None and proposed and name != RELEASE.name
        else bounds(inner, name, ANY)
        for name, given in value.items()
    }


def _box(
    block: DescriptionBlock, named: Mapping[str, Bounds | None], words: _Words
) -> ParameterSpace:
    """Return the box of parameters, ``speed`` among them and each one known.

    Raises:
        DescriptionError: one is missing, unknown, or surely in another unit.
    """
    more = tuple(name for name in words if name != "speed")
    given = {name: block.content["parameters"][name] for name in named}
    where = f"{block.where}: parameters"
    inner = DescriptionBlock.of(where, given, ("speed",), more)
    pairs = {name: bounds(inner, name, words[name][0]) for name in named}
    return ParameterSpace(
        tuple(
            Parameter(name, words[name][0].unit, lower, upper, words[name][1])
            for name, (lower, upper) in pairs.items()
        )
    )


def _strike(
    block: DescriptionBlock, named: Mapping[str, Bounds | None], folder: Path, arm: Arm
) -> StrikeFamily:
    inner = block.inner("strike", ("start", "pivot", "run_up", "deceleration"))
    start, pivot = (inner.numbers(key, 3, LENGTH) for key in ("start", "pivot"))
    run_up = inner.number("run_up", DISTANCE)
    strike = Strike(start, pivot, run_up, inner.number("deceleration", DECELERATION))
    offset = ReadyOffset(0.15, 0.2)
    if block.has("ready"):
        over = block.inner("ready", ("back", "height"))
        offset = ReadyOffset(over.number("back", LENGTH), over.number("height", LENGTH))
    return StrikeFamily(strike, offset, _box(block, named, _STRIKE))


def _swing(
    block: DescriptionBlock, named: Mapping[str, Bounds | None], folder: Path, arm: Arm
) -> SwingFamily:
    acceleration = block.inner("swing", ("acceleration",)).number("acceleration", ACCELERATION)
    words = {"speed": (JOINT_SPEED, "peak speed of the joint that travels farthest")}
    words |= {joint: (ANGLE, f"travel of {joint}") for joint in arm.joints}
    space = _box(block, named, words)
    joints = tuple(arm.joints.index(name) for name in space.names if name != "speed")
    if not joints:
        raise block.fail("parameters", f"speed and at least one of {', '.join(arm.joints)}")
    return SwingFamily(acceleration, joints, space)


def _demonstration(
    block: DescriptionBlock, named: Mapping[str, Bounds | None], folder: Path, arm: Arm
) -> DemonstrationFamily:
    value = block.content["demonstration"]
    files = value if isinstance(value, list) else [value]
    if not files or not all(isinstance(file, str) and file.strip() for file in files):
        raise block.fail("demonstration", "the name of a CSV file, or a list of such names")
    from icpi_ros.motion.demonstration import DemonstratedMotion, read_csv

    try:
        recordings = [read_csv(folder / Path(file).expanduser(), arm) for file in files]
        return DemonstrationFamily(DemonstratedMotion.of(recordings, arm, dict(named)))
    except IcpiError as exc:
        text = f"{block.where}: demonstration: {exc}"
        refusal = Refusal(text, exc.refusal.kind, "demonstration", field="demonstration")
        raise DescriptionError(refusal) from exc


_READERS: Mapping[
    str, Callable[[DescriptionBlock, Mapping[str, Bounds | None], Path, Arm], MotionFamily]
] = {"strike": _strike, "swing": _swing, "demonstration": _demonstration}


def _check_middle(block: DescriptionBlock, family: MotionFamily, arm: Arm) -> None:
    """Refuse motions of which not even the middle one can be made."""
    middle = 0.5 * (family.space.lower + family.space.upper)
    try:
        family.trajectories(middle[np.newaxis], arm)
    except MotionRefused as exc:
        text = f"{block.where}: the middle of the parameters is no motion of {arm.name}: {exc}"
        raise DescriptionError(Refusal(text, Kind.OUT_OF_REACH, "motion")) from exc
    if not np.isfinite(family.ready(middle, arm)).all():
        text = f"{block.where}: the pose before the motion leaves the reach of {arm.name}"
        raise DescriptionError(Refusal(text, Kind.OUT_OF_REACH, "ready", field="ready"))
