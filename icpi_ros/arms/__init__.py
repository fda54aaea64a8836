"""All arm descriptions by name."""

from __future__ import annotations

from icpi_ros.arms.base import Arm
from icpi_ros.registry import Registry

ARMS: Registry[Arm] = Registry(
    "arm",
    {
        "ur5e": "icpi_ros.arms.ur5e:UR5E",
        "ur5e_stick": "icpi_ros.arms.ur5e_stick:UR5E_STICK",
    },
)
