"""All arm descriptions by name, and arms from files."""

from __future__ import annotations

import os
from pathlib import Path

from icpi_ros.arms.base import Arm
from icpi_ros.errors import UnknownName
from icpi_ros.registry import Registry

_FILES = (".yaml", ".yml")


class ArmRegistry(Registry[Arm]):
    """Names to arms; an entry ``file.yaml`` is a description in ``config/arms``."""

    @property
    def built_in(self) -> frozenset[str]:
        """Names of the arms that come with the package, without those registered from outside."""
        return frozenset(self._entries)

    def get(self, name: str) -> Arm:
        """Return the arm called ``name``; its module or file is read at the first call.

        Raises:
            UnknownName: no entry has that name; the message lists the valid ones.
            DescriptionError: its file is damaged.
        """
        entry = self._entries.get(name, "")
        if entry.endswith(_FILES) and name not in self._loaded:
            from icpi_ros.arms.description import load_arm
            from icpi_ros.resources import share_path

            self._loaded[name] = load_arm(share_path("config", "arms", entry))
        return super().get(name)


def find_arm(name_or_path: str) -> Arm:
    """Return a built-in arm by its name, or the arm that a YAML file describes.

    Args:
        name_or_path: a name of :data:`ARMS`, or the path of a file that ends with .yaml or .yml.

    Raises:
        UnknownName: neither; the message lists the names.
        DescriptionError: the file cannot be read or holds what is not allowed.
    """
    if name_or_path in ARMS:
        return ARMS.get(name_or_path)
    if name_or_path.endswith(_FILES) or os.sep in name_or_path:
        from icpi_ros.arms.description import load_arm

        return load_arm(Path(name_or_path).expanduser())
    raise UnknownName("arm", name_or_path, [*ARMS.names(), "or the path of a YAML file"])


def argument_of(arm: Arm) -> str:
    """Return what :func:`find_arm` takes to give ``arm`` again: its name, or its file's path."""
    from icpi_ros.arms.described import DescribedArm

    if arm.name not in ARMS and isinstance(arm, DescribedArm) and arm.description.files:
        return str(arm.description.files[0].path.absolute())
    return arm.name


ARMS = ArmRegistry(
    "arm",
    {
        "fr3": "fr3.yaml",
        "ur5e": "icpi_ros.arms.ur5e:UR5E",
        "ur5e_stick": "icpi_ros.arms.ur5e_stick:UR5E_STICK",
    },
)
