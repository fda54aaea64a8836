"""Reader of the scene of a task's YAML file and of the physics that are hidden in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from icpi_ros.core.errors import DescriptionError, IcpiError, Kind, Refusal
from icpi_ros.core.files import HashedFile, read_file
from icpi_ros.core.resources import share_path
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.robots.description.fields import DescriptionBlock
from icpi_ros.tasks.described.quantities import ANY, bounds
from icpi_ros.tasks.described.scene import SETTERS, TILTS, SceneDescription

MAX_SCENE = 10_000_000
"""Largest scene of one's own [B]; its meshes are files of their own."""
WIDER = 0.25
"""Width by which the shifted range goes beyond each end where the file gives none, a share."""
_NOT_NEGATIVE = ("sliding_friction", "rolling_friction", "mass", "damping", "stiffness")


def scene_of(top: DescriptionBlock, folder: Path) -> SceneDescription | None:
    """Return the scene of a file with its physics; None = it has none.

    Raises:
        DescriptionError: they are not what is allowed.
    """
    if not top.has("scene"):
        if top.has("physics"):
            raise top.fail("physics", "left out, or beside the scene: in which it is hidden")
        return None
    path, file = _place(top, folder)
    inner, outer, written = list[Parameter](), list[Parameter](), list[tuple[str, str]]()
    for name, value in _quantities(top).items():
        where = f"{top.where}: physics: {name}"
        block = DescriptionBlock.of(
            where, value, ("range", "sets"), ("unit", "shifted", "description")
        )
        setter, target = _setter(block)
        unit, meaning = _unit(block, setter), SETTERS[setter].meaning.format(target)
        if block.has("description"):
            meaning = block.text("description")
        lower, upper = bounds(block, "range", ANY)
        low, high = _shifted(block, lower, upper, setter)
        inner.append(Parameter(name, unit, lower, upper, meaning))
        outer.append(Parameter(name, unit, low, high, meaning))
        written.append((setter, target))
    return SceneDescription(
        top.where,
        path,
        file,
        ParameterSpace(tuple(inner), label="physics"),
        ParameterSpace(tuple(outer), label="shifted physics"),
        tuple(written),
    )


def _place(top: DescriptionBlock, folder: Path) -> tuple[str, HashedFile | None]:
    """Return the path of a scene and its content, or the name of one of the package and None."""
    name = top.text("scene")
    path = (folder / Path(name).expanduser()).absolute()
    try:
        if path.is_file():
            return str(path), HashedFile.of(path, read_file(path, MAX_SCENE))
        if Path(name).name == name and share_path("sim", name):
            return name, None
    except (IcpiError, OSError):
        pass
    text = (
        f"{top.where}: scene is {name!r}: there is no file {path}, and no scene of that name comes "
        "with icpi_ros"
    )
    raise DescriptionError(Refusal(text, Kind.MISSING, "scene", value=name, field="scene"))


def _quantities(top: DescriptionBlock) -> dict[str, Any]:
    """Return what the file has of each hidden quantity, by name."""
    if not top.has("physics"):
        return {}
    value = top.content["physics"]
    if not isinstance(value, dict) or not value or not all(isinstance(k, str) for k in value):
        raise top.fail("physics", "names of hidden quantities with their range and what it sets")
    return value


def _setter(block: DescriptionBlock) -> tuple[str, str]:
    """Return the setter of a quantity and its target."""
    inner = block.inner("sets", (), tuple(SETTERS))
    if len(inner.content) != 1:
        raise block.fail("sets", f"one of {', '.join(SETTERS)} with its target")
    (setter,) = inner.content
    target = inner.text(setter)
    if setter == "tilt" and target not in TILTS:
        raise inner.fail(setter, f"{' or '.join(TILTS)}, the direction in which the table falls")
    return setter, target


def _unit(block: DescriptionBlock, setter: str) -> str:
    units = SETTERS[setter].units
    if not block.has("unit"):
        return units[0]
    value = block.content["unit"]
    if isinstance(value, int):  # YAML reads 1 as a number
        value = str(value)
    if value not in units:
        raise block.fail("unit", f"{' or '.join(units)}, in which the model has {setter}")
    return str(value)


def _shifted(
    block: DescriptionBlock, lower: float, upper: float, setter: str
) -> tuple[float, float]:
    """Return the wider range of a quantity: as given, or by a share on each side."""
    if setter in _NOT_NEGATIVE and lower < 0.0:
        raise block.fail("range", f"at least 0: {setter} cannot be negative")
    if not block.has("shifted"):
        more = WIDER * (upper - lower)
        low = max(lower - more, 0.5 * lower) if setter in _NOT_NEGATIVE else lower - more
        return low, upper + more
    low, high = bounds(block, "shifted", ANY)
    if not (low <= lower and upper <= high and (low < lower or upper < high)):
        raise block.fail("shifted", f"wider than the range [{lower:g}, {upper:g}]")
    if setter in _NOT_NEGATIVE and low < 0.0:
        raise block.fail("shifted", f"at least 0: {setter} cannot be negative")
    return low, high
