"""All tasks by name; one line here, one .py beside this file, one scene in ``sim/``."""

from __future__ import annotations

from icpi_ros.registry import Registry
from icpi_ros.tasks.base import Task

TASKS: Registry[Task] = Registry(
    "task",
    {
        "slide": "icpi_ros.tasks.slide:SLIDE",
    },
)
