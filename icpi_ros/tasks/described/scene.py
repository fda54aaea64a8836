"""Scene of a described task and the hidden physics that are written into its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.files import HashedFile
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.text import did_you_mean
from icpi_ros.core.types import Array
from icpi_ros.tasks.strike_task import set_mass, tilt_table

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class PhysicsSetter:
    """One place of a model that a hidden quantity is written to.

    Attributes:
        units: that the quantity may have; the first one is taken where the file has none.
        meaning: of the quantity, for descriptions; ``{}`` is its target.
        kind: of the target, for messages; empty = it is one of :data:`TILTS`.
        write: function of model, target and value; None = written with the others of its kind.
    """

    units: tuple[str, ...]
    meaning: str
    kind: str
    write: Callable[[Any, str, float], None] | None = None


def _sliding(model: mujoco.MjModel, name: str, value: float) -> None:
    model.pair(name).friction[:2] = value


def _rolling(model: mujoco.MjModel, name: str, value: float) -> None:
    model.pair(name).friction[3:] = value


def _damping(model: mujoco.MjModel, name: str, value: float) -> None:
    model.joint(name).damping[:] = value


def _stiffness(model: mujoco.MjModel, name: str, value: float) -> None:
    model.joint(name).stiffness[:] = value


SETTERS: Mapping[str, PhysicsSetter] = {
    "sliding_friction": PhysicsSetter(
        ("1",), "sliding friction of contact pair {}", "pair", _sliding
    ),
    "rolling_friction": PhysicsSetter(
        ("m",), "rolling friction of contact pair {}", "pair", _rolling
    ),
    "mass": PhysicsSetter(("kg",), "mass of body {}", "body", set_mass),
    "damping": PhysicsSetter(("N s/m", "N m s/rad"), "damping of joint {}", "joint", _damping),
    "stiffness": PhysicsSetter(("N/m", "N m/rad"), "stiffness of joint {}", "joint", _stiffness),
    "tilt": PhysicsSetter(("deg",), "angle by which the table falls off along +{}", ""),
}
TILTS = ("x", "y")
NO_PHYSICS = ParameterSpace((), label="physics")


@dataclass(frozen=True)
class SceneDescription:
    """Scene of a described task.

    Attributes:
        where: file and key, for messages.
        path: absolute, or the name of a scene that comes with the package.
        file: of a scene of one's own; None = one of the package.
        physics, shifted: ranges of the hidden quantities.
        written: name of a setter and its target, of each of them.
    """

    where: str
    path: str
    file: HashedFile | None = None
    physics: ParameterSpace = NO_PHYSICS
    shifted: ParameterSpace = NO_PHYSICS
    written: tuple[tuple[str, str], ...] = ()

    def definition(self) -> dict[str, Any]:
        """Return all that decides the simulation but the ranges, as JSON types."""
        scene = self.path if self.file is None else self.file.sha256
        return {"scene": scene, "written": [list(pair) for pair in self.written]}

    def apply(self, model: mujoco.MjModel, physics: Array, body: str) -> None:
        """Write physics ``(P,)`` into a model whose object is ``body``.

        Raises:
            DescriptionError: the scene lacks what is named.
        """
        self._require(model, "body", body, "object: name")
        tilts = dict.fromkeys(TILTS, 0.0)
        for (setter, target), name, value in zip(
            self.written, self.physics.names, physics.tolist(), strict=True
        ):
            known = SETTERS[setter]
            if known.write is None:
                tilts[target] = value
                continue
            self._require(model, known.kind, target, f"physics: {name}: sets: {setter}")
            known.write(model, target, value)
        if any(setter == "tilt" for setter, _ in self.written):
            tilt_table(model, tilts["x"], tilts["y"])

    def _require(self, model: mujoco.MjModel, kind: str, name: str, key: str) -> None:
        """Refuse a name that the model does not have."""
        names = _names(model, kind)
        if name not in names:
            text = (
                f"{self.where}: {key} is {name!r}: the scene has no {kind} of that name, it has "
                f"{', '.join(names[:20]) or 'none'}{did_you_mean(name, names)}"
            )
            limit = tuple(names)
            raise DescriptionError(Refusal(text, Kind.UNKNOWN_NAME, key, value=name, limit=limit))


def _names(model: mujoco.MjModel, kind: str) -> Sequence[str]:
    """Return the names that a model has of a kind."""
    count, get = {
        "pair": (model.npair, model.pair),
        "body": (model.nbody, model.body),
        "joint": (model.njnt, model.joint),
    }[kind]
    return [name for i in range(count) if (name := str(get(i).name))]
