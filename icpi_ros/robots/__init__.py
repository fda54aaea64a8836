"""All arm descriptions by name, and arms from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import UnknownName, require_kind
from icpi_ros.core.registry import REMEDY, Registry
from icpi_ros.robots.base import Arm

_FILES = (".yaml", ".yml")


class ArmRegistry(Registry[Arm]):
    """Names to arms; an entry ``file.yaml`` is a description in ``config/arms``.

    From outside an arm may be given as the path of its description too.
    """

    def _built_in(self, name: str) -> Arm:
        if not self._entries[name].endswith(_FILES):
            return super()._built_in(name)
        from icpi_ros.core.resources import share_path
        from icpi_ros.robots.description.reading import load_arm

        return load_arm(share_path("config", "arms", self._entries[name]))

    def _accept(self, name: str, item: Any) -> Arm:
        if isinstance(item, str | Path):
            from icpi_ros.robots.description.reading import load_arm

            item = load_arm(Path(item).expanduser())
        return super()._accept(name, item)


def find_arm(name_or_path: str) -> Arm:
    """Return a built-in arm by its name, or the arm that a YAML file describes.

    Raises:
        UnknownName: neither; the message lists the names.
        InvalidValue: it is no text.
        DescriptionError: the file cannot be read or holds what is not allowed.
    """
    require_kind("arm", name_or_path, str, "a name, or the path of a YAML file")
    if name_or_path in ARMS:
        return ARMS.get(name_or_path)
    if name_or_path.endswith(_FILES) or os.sep in name_or_path:
        from icpi_ros.robots.description.reading import load_arm

        return load_arm(Path(name_or_path).expanduser())
    raise UnknownName("arm", name_or_path, ARMS, f"the path of a YAML file, {REMEDY}")


def argument_of(arm: Arm) -> str:
    """Return what :func:`find_arm` takes to give ``arm`` again: its name, or its file's path."""
    from icpi_ros.robots.described_arm import DescribedArm

    if arm.name not in ARMS.built_in and isinstance(arm, DescribedArm) and arm.description.files:
        return str(arm.description.files[0].path.absolute())
    return arm.name


ARMS = ArmRegistry(
    "arm",
    {
        "fr3": "fr3.yaml",
        "ur5e": "icpi_ros.robots.ur5e:UR5E",
        "ur5e_stick": "icpi_ros.robots.ur5e_stick:UR5E_STICK",
    },
    lambda item: isinstance(item, Arm),
)
