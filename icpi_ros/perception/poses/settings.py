"""Settings of poses: their unit, frame and clock, and whether repeated ones are believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from icpi_ros.core.errors import invalid
from icpi_ros.perception.poses.frames import Transform
from icpi_ros.settings.poses import POSE_LOST, POSE_MEASURED, POSE_UNITS
from icpi_ros.settings.table import find


@dataclass(frozen=True)
class PoseSettings:
    """Understanding of a tracker's poses.

    Attributes:
        unit: of their positions, one of :data:`icpi_ros.settings.poses.POSE_UNITS`.
        transform: pose of the tracker's frame in ``base`` [m]; None = frame ids and /tf tell.
        stamps: ``measured``: stamps are those of the measurement, on this computer's clock;
            ``received``: the time of arrival counts in their place.
        repeated: ``lost``: poses that repeat bit for bit where the object moves, or where the
            tracker has noise, are no measurement; ``allowed``: they are, as in a simulation.
    """

    unit: str = "m"
    transform: Transform | None = field(default=None, compare=False)
    stamps: str = POSE_MEASURED
    repeated: str = POSE_LOST

    @property
    def scale(self) -> float:
        """Metres per unit."""
        return POSE_UNITS[self.unit]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PoseSettings:
        """Return the settings in values by the names of the table; what is missing has its default.

        Raises:
            InvalidValue: a value that is not allowed; names it and what is.
        """
        given = {name: values.get(name, find(name).default) for name in FIELDS}
        for name, value in given.items():
            find(name).check(value)
        return cls(
            unit=given["pose_unit"],
            transform=transform_of(given["pose_transform"]),
            stamps=given["pose_stamps"],
            repeated=given["repeated_poses"],
        )

    def with_given(self, values: Mapping[str, Any]) -> PoseSettings:
        """Return the same with the values that are given, by the names of the table.

        Raises:
            InvalidValue: see :meth:`of`.
        """
        given = PoseSettings.of(values)
        return replace(self, **{FIELDS[name]: getattr(given, FIELDS[name]) for name in values})


FIELDS: Mapping[str, str] = {
    "pose_unit": "unit",
    "pose_transform": "transform",
    "pose_stamps": "stamps",
    "repeated_poses": "repeated",
}
"""Fields by the names of the settings in the table."""


def transform_of(numbers: list[float]) -> Transform | None:
    """Return the transform x, y, z [m], then a quaternion x, y, z, w or roll, pitch, yaw [rad].

    Empty = None.

    Raises:
        InvalidValue: another count of numbers, one that is not finite, or a quaternion of
            another norm than 1.
    """
    if not numbers:
        return None
    made = Transform.of_numbers(numbers)
    if made is None:
        shown = ",".join(f"{number:g}" for number in numbers)
        text = (
            f"pose_transform = {shown} is not allowed: x,y,z [m] and a quaternion x,y,z,w of "
            "norm 1, or x,y,z [m] and roll,pitch,yaw [rad], of the tracker's frame in base; "
            "0,0,0,0,0,0,1 where they are the same"
        )
        raise invalid(text, "pose_transform", list(numbers))
    return made
