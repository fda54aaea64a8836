"""Contract of every sensor source."""

from __future__ import annotations

import re
from collections.abc import Callable

from icpi_ros.core.types import SECOND
from icpi_ros.perception.sources import Source
from icpi_ros.tasks import TASKS
from icpi_ros.testing.require import require

TASK = "slide"
"""Task whose object poses and images can show."""


def topic_and_type_are_names(source: type[Source]) -> None:
    """Its topic is a relative name, its type that of a message."""
    topic, kind = getattr(source, "topic", ""), getattr(source, "message_type", "")
    require(
        re.fullmatch(r"[A-Za-z]\w*(/\w+)*", topic),
        f"topic = {topic!r}: write a relative name such as 'object_point'",
    )
    require(
        re.fullmatch(r"\w+/msg/\w+", kind),
        f"message_type = {kind!r}: write package/msg/Name, as 'geometry_msgs/msg/PointStamped'",
    )


def nothing_is_seen_at_first(source: type[Source]) -> None:
    """Without samples there is no path, and a reason."""
    made = source(TASKS.get(TASK))
    found = made.path(0, SECOND)
    require(found.path is None and made.newest is None, "it has a path before its first sample")
    require(found.reason, "it gives no reason why there is no path")


CHECKS: tuple[Callable[[type[Source]], None], ...] = (
    topic_and_type_are_names,
    nothing_is_seen_at_first,
)
