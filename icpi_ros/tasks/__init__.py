"""All tasks by name; one line here, one .py beside this file, one scene in ``sim/``."""

from __future__ import annotations

from icpi_ros.core.registry import Registry
from icpi_ros.tasks.base import Task

TASKS: Registry[Task] = Registry(
    "task",
    {
        "hit-gc": "icpi_ros.tasks.hit:HIT_GC",
        "roll-gc": "icpi_ros.tasks.roll:ROLL_GC",
        "rope-swing": "icpi_ros.tasks.rope_swing:ROPE_SWING",
        "rope-swing-gc": "icpi_ros.tasks.rope_swing:ROPE_SWING_GC",
        "slide": "icpi_ros.tasks.slide:SLIDE",
        "slide-gc": "icpi_ros.tasks.slide:SLIDE_GC",
        "toss-gc": "icpi_ros.tasks.toss:TOSS_GC",
    },
    lambda item: isinstance(item, Task),
)
