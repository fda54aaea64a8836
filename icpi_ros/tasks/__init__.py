"""All tasks by name: one line here, one .py beside this file, one scene in ``sim/``; or a file."""

from __future__ import annotations

from icpi_ros.core.plugins import task_name
from icpi_ros.core.registry import Registry
from icpi_ros.tasks.base import Task

TASKS: Registry[Task] = Registry(
    "task",
    {
        "edge-gc": "icpi_ros.tasks.slide:EDGE_GC",
        "hit-gc": "icpi_ros.tasks.hit:HIT_GC",
        "roll-gc": "icpi_ros.tasks.roll:ROLL_GC",
        "rope-swing": "icpi_ros.tasks.rope_swing:ROPE_SWING",
        "rope-swing-gc": "icpi_ros.tasks.rope_swing:ROPE_SWING_GC",
        "slide": "icpi_ros.tasks.slide:SLIDE",
        "slide-gc": "icpi_ros.tasks.slide:SLIDE_GC",
        "throw-gc": "icpi_ros.tasks.throw:THROW_GC",
        "toss-gc": "icpi_ros.tasks.toss:TOSS_GC",
    },
    lambda item: isinstance(item, Task),
)


def find_task(name_or_path: str) -> Task:
    """Return a task by its name, or the one that a YAML file describes, which is registered.

    Never for a name that came over the network: a file may be anywhere.

    Raises:
        UnknownName: no entry has that name; the message lists the valid ones.
        InvalidValue: it is no text.
        UsageError: the file cannot be read or holds what is not allowed.
    """
    return TASKS.get(task_name(name_or_path) if isinstance(name_or_path, str) else name_or_path)
